// Where the bytes of maps go, and what a rebuild costs, on maps written by hand and at random.
#include <random>

#include <gtest/gtest.h>

#include "judge/map_bytes_by_cause.h"
#include "judge/map_judge.h"
#include "judge/map_rebuild.h"
#include "unit/judge/map_fixture.h"

namespace mapscope {
namespace {

using Types = std::vector<const MapTypeLayout *>;

const MapTypeLayout kIntBool = map_of(int_type(), plain_type("bool", 1, 1), false);

TEST(BytesByCauseTest, EveryByteIsToldOnceWhateverTheNumbersAre) {
  std::mt19937_64 random{42};
  auto below = [&](std::uint64_t end) { return random() % end; };
  const MapTypeLayout other = map_of(string_type(), int_type(), false, true);
  const Types choices[] = {{}, {&kIntBool}, {&other}, {&kIntBool, &other}, {&other, &other}};
  for (int i = 0; i < 20'000; ++i) {
    MapSample map;
    map.slots = std::uint64_t{8} << below(12);
    map.len = below(map.slots * 2);
    map.tombstones = below(map.slots);
    map.group_bytes = below(3) == 0 ? 0 : static_cast<std::uint32_t>(16 + 8 * below(100));
    map.bytes = {.header = below(2) * 48,
                 .directory = below(1000),
                 .control = below(2) == 0 ? map.slots : below(10'000),
                 .cells = below(2) == 0 ? map.slots / 8 * map.group_bytes : below(100'000),
                 .rounding = below(100),
                 .overflow = below(1000),
                 .old = below(1000),
                 .indirect = below(1000)};
    for (const Types &types : choices) {
      BytesByCause split = bytes_by_cause(map, types);
      ASSERT_EQ(split.total(), map.bytes.total()) << "round " << i;
      for (std::uint64_t part : {split.entries.value_or(0), split.padding.value_or(0), split.empty,
                                 split.tombstones, split.size_class})
        ASSERT_LE(part, map.bytes.total()) << "round " << i;
    }
  }
}

TEST(BytesByCauseTest, CellsAreSplitByEntriesTombstonesAndPadding) {
  MapSample map = map_made_for(100, 40, kIntBool, facts_of_go(26));
  ASSERT_EQ(map.slots, 128U);
  map.tombstones = 8;
  BytesByCause split = bytes_by_cause(map, Types{&kIntBool});
  EXPECT_EQ(split.entries, 40 * 9U);
  EXPECT_EQ(split.padding, 40 * 7U);
  EXPECT_EQ(split.tombstones, 8 * 16U);
  EXPECT_EQ(split.empty, 80 * 16U);
  EXPECT_EQ(split.control, 128U);
  EXPECT_EQ(split.header, 48U);
}

TEST(BytesByCauseTest, WithoutATypePaddingIsPartOfTheEntries) {
  MapSample map = map_made_for(100, 40, kIntBool, facts_of_go(26));
  BytesByCause split = bytes_by_cause(map, {});
  EXPECT_EQ(split.entries, 40 * 16U);
  EXPECT_EQ(split.padding, std::nullopt);
}

TEST(BytesByCauseTest, CandidatesThatDisagreeOnPaddingLeaveItOut) {
  const MapTypeLayout ints = map_of(int_type(), int_type(), false);
  MapSample map = map_made_for(100, 40, kIntBool, facts_of_go(26));
  BytesByCause split = bytes_by_cause(map, Types{&kIntBool, &ints});
  EXPECT_EQ(split.entries, 40 * 16U);
  EXPECT_EQ(split.padding, std::nullopt);
}

TEST(BytesByCauseTest, WithoutTheSizeOfAGroupCellsAreNotSplit) {
  MapSample map = map_made_for(100, 40, kIntBool, facts_of_go(26));
  map.group_bytes = 0;
  map.bytes.cells += map.bytes.rounding;
  map.bytes.rounding = 0;
  BytesByCause split = bytes_by_cause(map, {});
  EXPECT_EQ(split.entries, std::nullopt);
  EXPECT_EQ(split.padding, std::nullopt);
  EXPECT_EQ(split.empty, map.bytes.cells);

  // The type knows it, and then what the size class added is known as well.
  split = bytes_by_cause(map, Types{&kIntBool});
  EXPECT_EQ(split.entries, 40 * 9U);
  EXPECT_EQ(split.empty, 88 * 16U);
  EXPECT_EQ(split.size_class, map.bytes.cells - 128 * 16);
}

TEST(BytesByCauseTest, AMapOnAStackTakesNothingOfTheHeap) {
  MapSample map{.len = 3, .slots = 8, .group_bytes = 136, .is_on_stack = true};
  BytesByCause split = bytes_by_cause(map, Types{&kIntBool});
  EXPECT_EQ(split.total(), 0U);
  EXPECT_EQ(split.entries, 0U);
  EXPECT_EQ(MapJudge{facts_of_go(26)}.judge(map, Types{&kIntBool}).rebuilt_bytes, 0U);
}

TEST(MapRebuildTest, IsWhatMakeAsksForWhereChanceAddsNothing) {
  for (unsigned minor : {20U, 21U, 22U, 24U, 27U})
    for (bool has_pointers : {false, true})
      for (std::uint64_t len : {0U, 1U, 8U, 9U, 13U, 100U, 700U, 100'000U}) {
        BinaryFacts facts = facts_of_go(minor);
        bool classic = facts.map_implementation == MapImplementation::classic;
        if (classic && len > 8)
          continue; // some entries chain
        MapTypeLayout type = map_of(string_type(), int_type(), classic, has_pointers);
        MapSample map = map_made_for(len, len, type, facts);
        MapRebuild rebuild{facts};
        EXPECT_EQ(rebuild.bytes(map, Types{&type}), map.bytes.total())
            << "go1." << minor << " len " << len;
      }
}

// 7,000 entries in eight tables: each gets 875 on average of the 896 that it takes, so two split.
TEST(MapRebuildTest, CountsTablesThatChanceSplits) {
  BinaryFacts facts = facts_of_go(26);
  MapRebuild rebuild{facts};
  EXPECT_NEAR(rebuild.expected_growths(7000), 1.7, 0.3);
  EXPECT_EQ(rebuild.expected_growths(4500), 0);
  MapTypeLayout type = map_of(int_type(), int_type(), false);
  MapSample map = map_made_for(7000, 7000, type, facts);
  std::uint64_t table = heap_bytes(128 * type.type.group_bytes, false, true) + 32;
  EXPECT_EQ(rebuild.bytes(map, Types{&type}), map.bytes.total() + 2 * table + 64);
}

// The runtime's own comment (runtime/map.go) says 20.77 % of entries at 6.5 a bucket chain.
TEST(MapRebuildTest, CountsBucketsThatChanceChains) {
  MapRebuild rebuild{facts_of_go(22)};
  EXPECT_NEAR(rebuild.expected_growths(6656) / 1024, 0.21, 0.01); // buckets of 6.5 entries
  EXPECT_LT(rebuild.expected_growths(3400) / 1024, 0.02);
}

TEST(MapRebuildTest, NeedsToKnowTheGroupUnlessThereIsNone) {
  MapRebuild rebuild{facts_of_go(26)};
  MapSample map{.len = 5000, .slots = 8192};
  EXPECT_EQ(rebuild.bytes(map, {}), std::nullopt);
  map.len = 0;
  EXPECT_EQ(rebuild.bytes(map, {}), 48U);
  map.len = 5000;
  // Where it is known, whether it has pointers makes no difference to large arrays, nor to small.
  map.group_bytes = 808;
  EXPECT_TRUE(rebuild.bytes(map, {}).has_value());
  map.len = 100;
  map.group_bytes = 144;
  EXPECT_EQ(rebuild.bytes(map, {}), std::nullopt); // 2,304 bytes: a malloc header or none
}

TEST(MapRebuildTest, CandidatesHaveToAgree) {
  MapRebuild rebuild{facts_of_go(26)};
  const MapTypeLayout ints = map_of(int_type(), int_type(), false);
  const MapTypeLayout strings = map_of(string_type(), int_type(), false, true);
  MapSample map{.len = 100, .slots = 1024};
  EXPECT_TRUE(rebuild.bytes(map, Types{&ints}).has_value());
  EXPECT_TRUE(rebuild.bytes(map, Types{&ints, &kIntBool}).has_value()); // both 16 bytes a slot
  EXPECT_EQ(rebuild.bytes(map, Types{&ints, &strings}), std::nullopt);
}

TEST(MapRebuildTest, WhatItKeepsIsWhatItWorksOutAnew) {
  std::mt19937_64 random{7};
  for (unsigned minor : {20U, 23U, 24U, 27U}) {
    BinaryFacts facts = facts_of_go(minor);
    MapRebuild kept{facts};
    for (int i = 0; i < 5'000; ++i) {
      MapSample map;
      map.len = random() % (std::uint64_t{1} << random() % 34);
      map.is_on_stack = random() % 4 == 0;
      map.bytes.cells = 1;
      MapTypeLayout type;
      type.type.group_bytes = 16 + random() % 40 * 8;
      type.type.group_has_pointers = random() % 2 == 0;
      ASSERT_EQ(kept.bytes(map, Types{&type}), MapRebuild{facts}.bytes(map, Types{&type}))
          << "go1." << minor << " len " << map.len << " group " << type.type.group_bytes;
    }
  }
}

TEST(MapJudgeTest, TheFastNumberIsTheSame) {
  BinaryFacts facts = facts_of_go(26);
  MapJudge judge{facts};
  for (std::uint64_t len : {0U, 7U, 50U, 900U, 7000U}) {
    MapSample map = map_made_for(10'000, len, kIntBool, facts);
    EXPECT_EQ(judge.reclaimable_bytes(map, Types{&kIntBool}),
              judge.judge(map, Types{&kIntBool}).reclaimable_bytes);
  }
}

} // namespace
} // namespace mapscope
