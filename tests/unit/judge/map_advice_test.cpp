// What to do about a map of which is known who holds it, and where it was made.
#include "judge/map_advice.h"

#include <gtest/gtest.h>

#include "judge/map_judge.h"
#include "unit/judge/map_fixture.h"

namespace mapscope {
namespace {

MapOwner owner_of_entries() {
  return {.reach = Reach::reachable,
          .root_class = OwnerClass::variable,
          .root = "main.store",
          .path = "main.store → *Cache.shards[].entries",
          .holder = "main.store.shards[].entries"};
}

MapSite made_at_line_41() {
  return {.shares = {{.frame = {.function = "main.fill", .file = "/src/app/main.go", .line = 41},
                      .kind = SiteKind::created,
                      .samples = 1}}};
}

// Of a map made for 100,000 ints that holds `len` of them.
std::string advice_for(std::uint64_t len, MapHistory history, MapOwner owner, MapSite site = {}) {
  const BinaryFacts facts = facts_of_go(26);
  const MapTypeLayout type = map_of(int_type(), int_type(), false);
  MapSample map = map_made_for(100'000, len, type, facts);
  map.history = history;
  const std::vector<const MapTypeLayout *> types = {&type};
  return MapJudge{facts}.judge(map, types, std::move(owner), std::move(site)).advice;
}

TEST(MapAdviceTest, NamesTheFieldToRebuild) {
  EXPECT_EQ(advice_for(10, {.has_deletions = true}, owner_of_entries()),
            "after emptying it, rebuild main.store.shards[].entries: m2 := make(map[int]int, 10); "
            "maps.Copy(m2, m); m = m2 frees 2.25 MiB");
}

TEST(MapAdviceTest, NamesTheLineThatMadeTheMap) {
  EXPECT_EQ(advice_for(12'345, {}, owner_of_entries(), made_at_line_41()),
            "make(map[int]int, 13000) where main.store.shards[].entries is made, at main.go:41 "
            "(main.fill) saves 1.97 MiB");
}

TEST(MapAdviceTest, LinesOfMapsAlikeAreNotSaidOfThisOne) {
  MapSite site = made_at_line_41();
  site.is_of_pattern = true;
  EXPECT_EQ(advice_for(12'345, {}, {}, site),
            "make(map[int]int, 13000) where it is made saves 1.97 MiB");
}

TEST(MapAdviceTest, ALineThatMadeItGrowIsNotOneThatMadeIt) {
  MapSite site = made_at_line_41();
  site.shares[0].kind = SiteKind::grew;
  EXPECT_EQ(advice_for(12'345, {}, {}, site),
            "make(map[int]int, 13000) where it is made saves 1.97 MiB");
}

TEST(MapAdviceTest, AFrameHoldsAMapButIsNone) {
  MapOwner owner{.reach = Reach::reachable,
                 .root_class = OwnerClass::goroutine,
                 .root = "example.org/app/main.worker",
                 .path = "main.worker",
                 .holder = "main.worker"};
  EXPECT_TRUE(advice_for(10, {.has_deletions = true}, owner)
                  .starts_with("after emptying it, rebuild main.worker's map: m2 := "));
  EXPECT_EQ(advice_for(12'345, {}, owner),
            "make(map[int]int, 13000) where it is made saves 1.97 MiB");
}

TEST(MapAdviceTest, GarbageIsNotRebuilt) {
  EXPECT_EQ(advice_for(10, {.has_deletions = true}, {.reach = Reach::unreachable}),
            "nothing leads to it any more: the next collection frees it");
  EXPECT_EQ(advice_for(100'000, {}, {.reach = Reach::unreachable}), "");
}

} // namespace
} // namespace mapscope
