// What changed between two looks at the maps of a process.
#include "report/maps_diff.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mapscope {
namespace {

MapsLook look_before() {
  return {.source = "snapshot before.snap",
          .process = "/srv/app (pid 4711), go1.26.8, swiss maps",
          .wall_time_ns = 1'795'285'510'000'000'000,
          .types = {"", "map[int]int", "map[string]*labels.Labels"},
          .maps = {{{0xc000030000}, 3, 1, 5, 192, 0},
                   {{0xc000010000}, 1, 1, 100, 4096, 1024},
                   {{0xc000020000}, 2, 2, 10, 2048, std::nullopt},
                   {{0xc000040000}, 4, 1, 8, 192, 0}}};
}

// The first grew, the second is gone, the third lost entries, the fourth was made anew; another
// appeared.
MapsLook look_after() {
  return {.source = "snapshot after.snap",
          .process = "/srv/app (pid 4711), go1.26.8, swiss maps",
          .wall_time_ns = 1'795'285'570'000'000'000,
          .types = {"", "map[string]*labels.Labels", "map[int]int"},
          .maps = {{{0xc000010000}, 1, 2, 1000, 40'960, 1024},
                   {{0xc000030000}, 3, 2, 2, 192, 0},
                   {{0xc000040000}, 44, 2, 8, 192, 0},
                   {{0xc000050000}, 5, 0, 1, 192, std::nullopt}},
          .unsettled = 2};
}

MapsDiff diff(std::size_t top = 0) {
  MapsLook before = look_before(), after = look_after();
  return compare_maps(before, after, top);
}

TEST(MapsDiffTest, TellsMapsByAddressAndSeed) {
  MapsDiff changes = diff();
  EXPECT_EQ(changes.all.appeared, 2U);
  EXPECT_EQ(changes.all.gone, 2U);
  EXPECT_EQ(changes.all.grown, 1U);
  EXPECT_EQ(changes.all.shrunk, 1U);
  EXPECT_EQ(changes.all.unchanged, 0U);
  EXPECT_EQ(changes.all.before.bytes, 6528U);
  EXPECT_EQ(changes.all.after.entries, 1011U);
  EXPECT_EQ(changes.changed, 6U);
}

TEST(MapsDiffTest, TheLargestChangeComesFirst) {
  MapsDiff changes = diff(2);
  ASSERT_EQ(changes.maps.size(), 2U);
  EXPECT_EQ(changes.maps[0].address.value, 0xc000010000U);
  EXPECT_EQ(changes.maps[0].type, "map[int]int");
  EXPECT_EQ(changes.maps[1].address.value, 0xc000020000U);
  EXPECT_FALSE(changes.maps[1].after);
  EXPECT_EQ(changes.changed, 6U);
  ASSERT_EQ(changes.types.size(), 3U);
  EXPECT_EQ(changes.types[0].type, "map[int]int");
  EXPECT_EQ(changes.types[1].type, "map[string]*labels.Labels");
}

TEST(MapsDiffTest, TwoEqualLooksHaveNothingToSay) {
  MapsLook before = look_before(), after = look_before();
  MapsDiff changes = compare_maps(before, after, 0);
  EXPECT_EQ(changes.changed, 0U);
  EXPECT_TRUE(changes.types.empty());
  EXPECT_EQ(changes.all.unchanged, 4U);
  EXPECT_EQ(maps_diff_text(before, after, changes, false),
            R"(/srv/app (pid 4711), go1.26.8, swiss maps
before       snapshot before.snap, 2026-11-21T18:25:10Z
after        snapshot before.snap, 2026-11-21T18:25:10Z
maps         4
             0 appeared, 0 gone, 0 grown, 0 shrunk, 4 as before
entries      123
bytes        6.38 KiB
reclaimable  1.00 KiB
)");
}

TEST(MapsDiffTest, ReadsWell) {
  EXPECT_EQ(maps_diff_text(look_before(), look_after(), diff(3), false),
            R"(/srv/app (pid 4711), go1.26.8, swiss maps
before       snapshot before.snap, 2026-11-21T18:25:10Z
after        snapshot after.snap, 2026-11-21T18:26:10Z
maps         4
             2 appeared, 2 gone, 1 grown, 1 shrunk, 0 as before
entries      123 -> 1,011 (+888)
bytes        6.38 KiB -> 40.6 KiB (+34.2 KiB)
reclaimable  1.00 KiB
not seen     0 maps before and 2 after changed faster than could be read: they
             may be among those that appeared or are gone

     BYTES      ENTRIES  APPEARED      GONE     GROWN    SHRUNK  TYPE
 +36.0 KiB         +897         1         1         1         1  map[int]int
 -2.00 KiB          -10         0         1         0         0
  map[string]*labels.Labels
    +192 B           +1         1         0         0         0  unknown

     BYTES       NOW      ENTRIES          NOW  CHANGE   ADDRESS
 +36.0 KiB  40.0 KiB         +900        1,000  grown    0xc000010000
  map[int]int
 -2.00 KiB       0 B          -10            0  gone     0xc000020000
  map[string]*labels.Labels
    -192 B       0 B           -8            0  gone     0xc000040000
  map[int]int
3 more maps changed; --top N shows more, --top 0 all of them
)");
}

TEST(MapsDiffTest, AnotherProcessIsSaid) {
  MapsLook before = look_before(), after = look_after();
  before.process = "/srv/app (pid 12), go1.26.8, swiss maps";
  MapsDiff changes = compare_maps(before, after, 0);
  EXPECT_NE(maps_diff_text(before, after, changes, false)
                .find("note         before, it was another process: /srv/app (pid 12)"),
            std::string::npos);
}

TEST(MapsDiffTest, JsonHasBothSides) {
  auto document = nlohmann::json::parse(maps_diff_json(look_before(), look_after(), diff()));
  EXPECT_EQ(document["schema"], "mapscope.maps_diff/1");
  EXPECT_EQ(document["looks"]["after"]["unsettled"], 2);
  EXPECT_EQ(document["totals"]["appeared"], 2);
  EXPECT_EQ(document["types"][2]["type"], nullptr);
  EXPECT_EQ(document["maps"][0]["change"], "grown");
  EXPECT_EQ(document["maps"][0]["before"]["len"], 100);
  EXPECT_EQ(document["maps"][1]["after"], nullptr);
  EXPECT_EQ(document["maps"][1]["before"]["reclaimable_bytes"], nullptr);
}

} // namespace
} // namespace mapscope
