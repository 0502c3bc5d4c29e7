// The generated table against offsets that were measured on running programs, and the choice
// of a toolchain.
#include "binary/layout_table.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

RuntimeLayout amd64(GoVersion version, std::vector<std::string> experiments = {}) {
  return layout_for(version, Machine::amd64, experiments);
}

TEST(LayoutTableTest, TheGoroutineIdMovedTwice) {
  EXPECT_EQ(amd64({1, 17, 13}).find("runtime.g.goid"), 152);
  EXPECT_EQ(amd64({1, 22, 12}).find("runtime.g.goid"), 152);
  EXPECT_EQ(amd64({1, 23, 0}).find("runtime.g.goid"), 160);
  EXPECT_EQ(amd64({1, 24, 13}).find("runtime.g.goid"), 160);
  EXPECT_EQ(amd64({1, 25, 14}).find("runtime.g.goid"), 152);
  EXPECT_EQ(amd64({1, 27, 4}).find("runtime.g.goid"), 152);
}

TEST(LayoutTableTest, SavedFramePointerAndCurrentGoroutineMovedIn125) {
  EXPECT_EQ(amd64({1, 24, 13}).find("runtime.g.sched.bp"), 56 + 48);
  EXPECT_EQ(amd64({1, 25, 14}).find("runtime.g.sched.bp"), 56 + 40);
  EXPECT_EQ(amd64({1, 24, 13}).find("runtime.m.curg"), 192);
  EXPECT_EQ(amd64({1, 25, 14}).find("runtime.m.curg"), 184);
}

TEST(LayoutTableTest, AStructureIsAbsentWhereTheVersionHasNone) {
  EXPECT_EQ(amd64({1, 23, 12}).find("runtime.hmap"), 48);
  EXPECT_EQ(amd64({1, 23, 12}).find("internal/runtime/maps.Map"), std::nullopt);
  EXPECT_EQ(amd64({1, 26, 8}).find("runtime.hmap"), std::nullopt);
  EXPECT_EQ(amd64({1, 26, 8}).find("internal/runtime/maps.Map.used"), 0);
}

TEST(LayoutTableTest, ClassicMapsOf124AreTheirOwnToolchain) {
  auto layout = amd64({1, 24, 13}, {"nogreenteagc", "noswissmap"});
  EXPECT_EQ(layout.version, "go1.24.13-noswissmap");
  EXPECT_EQ(layout.find("runtime.hmap"), 56);
  EXPECT_EQ(layout.find("runtime.hmap.extra"), 48);
  EXPECT_EQ(amd64({1, 23, 12}, {"noswissmap"}).version, "go1.23.12");
}

TEST(LayoutTableTest, Arm64DiffersBehindItsCacheLines) {
  EXPECT_EQ(layout_for({1, 26, 11}, Machine::amd64, {}).find("runtime.mheap.arenas"), 66008);
  EXPECT_EQ(layout_for({1, 26, 11}, Machine::arm64, {}).find("runtime.mheap.arenas"), 66072);
  EXPECT_EQ(layout_for({1, 26, 11}, Machine::arm64, {}).find("runtime.g.goid"), 152);
}

TEST(LayoutTableTest, TheNearestPatchReleaseStandsIn) {
  EXPECT_EQ(amd64({1, 26, 8}).source, LayoutSource::table);
  auto between = amd64({1, 24, 4});
  EXPECT_EQ(between.source, LayoutSource::nearest);
  EXPECT_EQ(between.version, "go1.24.5");
  // m grew between 1.24.5 and 1.24.6.
  EXPECT_EQ(between.find("runtime.m"), 1808);
  EXPECT_EQ(amd64({1, 24, 7}).find("runtime.m"), 1832);
  EXPECT_EQ(amd64({1, 27, 99}).version, "go1.27.4");
}

TEST(LayoutTableTest, AnUnknownMinorVersionHasNoLayout) {
  for (GoVersion version : {GoVersion{1, 16, 15}, GoVersion{1, 99, 0}, GoVersion{2, 26, 0}, {}}) {
    auto layout = amd64(version);
    EXPECT_EQ(layout.source, LayoutSource::none);
    EXPECT_TRUE(layout.offsets.empty());
  }
}

TEST(LayoutTableTest, EveryNameOfALayoutIsListed) {
  auto names = layout_names();
  for (const auto &[name, offset] : amd64({1, 19, 13}).offsets)
    EXPECT_TRUE(std::ranges::find(names, name) != names.end()) << name;
}

} // namespace
} // namespace mapscope
