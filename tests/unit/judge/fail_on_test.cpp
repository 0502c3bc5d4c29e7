// Conditions of `maps --fail-on`.
#include "judge/fail_on.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

MapFigures figures() {
  MapFigures figures;
  figures.add(100, 1024, 10, 100 << 20, 80 << 20);
  figures.add(3, 8, 0, 256, std::nullopt);
  return figures;
}

std::vector<std::string> hits(std::string_view text) {
  auto conditions = FailOn::parse(text);
  EXPECT_TRUE(conditions.has_value()) << (conditions ? "" : conditions.error().message());
  return conditions ? conditions->hits(figures()) : std::vector<std::string>{};
}

std::string error(std::string_view text) {
  auto conditions = FailOn::parse(text);
  EXPECT_FALSE(conditions.has_value());
  return conditions ? "" : conditions.error().message();
}

TEST(FailOnTest, TellsWhichConditionHolds) {
  EXPECT_EQ(hits("reclaimable>64MiB"),
            (std::vector<std::string>{"reclaimable is 80.0 MiB, > 64.0 MiB"}));
  EXPECT_EQ(hits("reclaimable > 80MiB"), std::vector<std::string>{});
  EXPECT_EQ(hits("reclaimable >= 80MiB").size(), 1U);
  EXPECT_EQ(hits("maps==2,entries!=103, map.len > 99").size(), 2U);
  EXPECT_EQ(hits("fill<25%").size(), 1U);
  EXPECT_EQ(hits("fill<0.01").size(), 0U);
  EXPECT_EQ(hits("tombstones>=10,unsettled>0").size(), 1U);
  EXPECT_EQ(hits("map.bytes>0.09GiB").size(), 1U);
  EXPECT_EQ(hits("entries>0.1k"), (std::vector<std::string>{"entries is 103, > 100"}));
}

TEST(FailOnTest, WhatIsNotKnownHoldsNothingAndIsSaid) {
  auto conditions = FailOn::parse("resident>1");
  ASSERT_TRUE(conditions);
  EXPECT_EQ(conditions->hits(figures()), std::vector<std::string>{});
  EXPECT_EQ(conditions->unanswered(figures()),
            (std::vector<std::string>{
                "resident is not known here, so whether it is > 1 B can't be told"}));
}

TEST(FailOnTest, SaysWhatIsPossible) {
  EXPECT_EQ(error("waste>64MiB"),
            "--fail-on \"waste>64MiB\": there is no field \"waste\"; there are reclaimable, bytes, "
            "maps, entries, fill, resident, unsettled, tombstones, map.bytes, map.reclaimable and "
            "map.len");
  EXPECT_EQ(error("bytes>64kb"), "--fail-on \"bytes>64kb\": bytes is compared with a number of "
                                 "bytes, or one with KiB, MiB or GiB, such as 64MiB, and \"64kb\" "
                                 "is none");
  EXPECT_NE(error("maps>5MiB").find("such as 100k"), std::string::npos);
  for (std::string_view text : {"", ",", "bytes", "bytes>", ">5", "bytes>-1", "bytes>nan",
                                "bytes>1e400", "bytes>inf", "bytes=5", "maps>1,"})
    error(text);
}

} // namespace
} // namespace mapscope
