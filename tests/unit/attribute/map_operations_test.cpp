// What single map operations are told as: which map, which kind, how many slots and bytes.
#include "unit/attribute/map_records.h"

namespace mapscope {
namespace {

using MapOperationsTest = MapRecordsTest;

TEST_F(MapOperationsTest, AGrowthIsToldWithMapTypeSlotsAndBytes) {
  auto event = one({rehash(10)});
  EXPECT_EQ(event.kind, TraceKind::map_grown);
  EXPECT_EQ(event.process, kProcess);
  EXPECT_EQ(event.time_ns, 10U);
  EXPECT_EQ(event.tid, 7U);
  EXPECT_EQ(event.goroutine, 3U);
  const MapChange &grown = change(event);
  ASSERT_TRUE(grown.map);
  EXPECT_EQ(grown.map->number, 1U);
  EXPECT_EQ(grown.map->address, ProcessAddress{kMap});
  EXPECT_EQ(grown.map->seed, 1U);
  EXPECT_FALSE(grown.map->creation_seen);
  EXPECT_TRUE(grown.is_first_sight);
  ASSERT_TRUE(grown.type);
  EXPECT_EQ(grown.type->name, "map[int]int");
  EXPECT_EQ(grown.len, 56U);
  EXPECT_EQ(grown.slots_before, 64U);
  EXPECT_EQ(grown.slots_after, 128U);
  EXPECT_EQ(grown.table_slots_before, 64U);
  EXPECT_EQ(grown.bytes, 32U + 2304U); // a table, and 16 groups of 136 bytes
}

TEST_F(MapOperationsTest, AFullTableOf1024SlotsSplits) {
  auto event =
      with_table(with_header(operation(MAP_OPERATION_REHASH, 10), {.len = 896}), front(896, 1024));
  auto told = one({event});
  EXPECT_EQ(told.kind, TraceKind::map_split);
  EXPECT_EQ(change(told).slots_before, 1024U);
  EXPECT_EQ(change(told).slots_after, 2048U);
  EXPECT_EQ(change(told).bytes, 36944U); // as the runtime counts, tests/fixtures/map_bytes
}

TEST_F(MapOperationsTest, SlotsOfSeveralTablesAreKnownWhileEverySplitWasSeen) {
  auto split = [](std::uint64_t time_ns, std::uint64_t len, std::uint64_t tables,
                  std::uint64_t depth) {
    return with_table(with_header(operation(MAP_OPERATION_REHASH, time_ns),
                                  {.len = len, .directory_len = tables}),
                      front(896, 1024, 0, depth));
  };
  auto told = taken({split(10, 896, 1, 0), split(20, 1700, 2, 1), split(30, 2500, 4, 1)});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[1]).slots_before, 2048U);
  EXPECT_EQ(change(told[1]).bytes, 36960U); // with a directory of four
  EXPECT_EQ(change(told[2]).slots_after, 4096U);
  EXPECT_EQ(change(told[2]).bytes, 36928U); // the directory is large enough
  // Another map, first seen with four tables: how many slots, nobody knows.
  auto stranger = split(40, 2500, 4, 1);
  stranger.map = kMap + 48;
  auto unknown = one({stranger});
  EXPECT_EQ(change(unknown).slots_before, std::nullopt);
  EXPECT_EQ(change(unknown).table_slots_before, 1024U);
  EXPECT_EQ(change(unknown).bytes, 36928U);
}

TEST_F(MapOperationsTest, MoreEntriesThanTheTrackedSlotsHoldMakeThemUnknown) {
  auto first =
      with_table(with_header(operation(MAP_OPERATION_REHASH, 10), {.len = 896}), front(896, 1024));
  auto later = with_table(
      with_header(operation(MAP_OPERATION_REHASH, 20), {.len = 5000, .directory_len = 8}),
      front(896, 1024, 0, 3));
  auto told = taken({first, later}); // splits in between were lost
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(change(told[1]).slots_before, std::nullopt);
  EXPECT_EQ(change(told[1]).slots_after, std::nullopt);
}

TEST_F(MapOperationsTest, InnerStepsOfAGrowthAreNotToldAgain) {
  auto with_kind = [](map_operation_event event, enum map_operation kind) {
    event.operation = kind;
    return event;
  };
  auto split =
      with_table(with_header(operation(MAP_OPERATION_REHASH, 10), {.len = 896}), front(896, 1024));
  auto told = taken({split, with_kind(split, MAP_OPERATION_TABLE_SPLIT),
                     with_kind(split, MAP_OPERATION_INSTALL_SPLIT)});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(change(told[0]).operation, MAP_OPERATION_REHASH);
  told = taken({rehash(20), with_kind(rehash(21), MAP_OPERATION_TABLE_GROW)});
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(MapOperationsTest, ASplitWithoutItsRehashIsTheLine) {
  auto split = with_table(with_header(operation(MAP_OPERATION_TABLE_SPLIT, 10), {.len = 896}),
                          front(896, 1024));
  EXPECT_EQ(one({split}).kind, TraceKind::map_split);
  EXPECT_EQ(one({split}).kind, TraceKind::map_split); // another table at the same address
  auto install = split;
  install.operation = MAP_OPERATION_INSTALL_SPLIT;
  EXPECT_TRUE(taken({install}).empty());
}

TEST_F(MapOperationsTest, MovesOfBucketsAreNoLine) {
  EXPECT_TRUE(taken({operation(MAP_OPERATION_GROW_WORK, 10)}).empty());
}

TEST_F(MapOperationsTest, TheFirstGroupAndTheFirstTable) {
  auto small = one({with_header(operation(MAP_OPERATION_GROW_TO_SMALL, 10),
                                {.storage = 0, .directory_len = 0})});
  EXPECT_EQ(small.kind, TraceKind::map_grown);
  EXPECT_EQ(change(small).slots_before, 0U);
  EXPECT_EQ(change(small).slots_after, 8U);
  EXPECT_EQ(change(small).bytes, 144U);
  auto table = one(
      {with_header(operation(MAP_OPERATION_GROW_TO_TABLE, 20), {.len = 8, .directory_len = 0})});
  EXPECT_EQ(change(table).slots_after, 16U);
  EXPECT_EQ(change(table).bytes, 328U);
  EXPECT_EQ(change(table).map->number, 1U);
}

TEST_F(MapOperationsTest, AnotherSeedAtTheAddressIsAnotherMap) {
  auto told = taken({rehash(10, 1, kMap, 16), rehash(20, 1, kMap, 32), rehash(30, 2, kMap, 64)});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[0]).map->number, 1U);
  EXPECT_EQ(change(told[1]).map->number, 1U);
  EXPECT_FALSE(change(told[1]).is_first_sight);
  EXPECT_EQ(change(told[2]).map->number, 2U);
  EXPECT_TRUE(change(told[2]).is_first_sight);
}

TEST_F(MapOperationsTest, AfterAClearTheNewSeedIsOfTheSameMap) {
  auto clear = with_header(operation(MAP_OPERATION_CLEAR, 20), {.len = 60, .seed = 1});
  auto told = taken({rehash(10, 1), clear, rehash(30, 2, kMap, 128), rehash(40, 3, kMap, 256)});
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[1].kind, TraceKind::map_cleared);
  EXPECT_EQ(change(told[1]).len, 60U);
  EXPECT_EQ(change(told[1]).bytes, 0U);
  EXPECT_EQ(change(told[2]).map->number, 1U);
  EXPECT_EQ(change(told[3]).map->number, 2U); // cleared once, not twice
}

TEST_F(MapOperationsTest, ClearingAnEmptyMapKeepsItsSeed) {
  auto clear = with_header(operation(MAP_OPERATION_CLEAR, 20), {.len = 0, .seed = 1});
  auto told = taken({rehash(10, 1), clear, rehash(30, 2, kMap, 128)});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[2]).map->number, 2U);
}

TEST_F(MapOperationsTest, AMapKeepsItsTypeAndNeverShrinks) {
  auto other_type = rehash(20, 1, kMap, 128);
  other_type.map_type = kStringMap;
  auto smaller =
      with_table(with_header(operation(MAP_OPERATION_REHASH, 40), {.len = 14}), front(14, 16));
  auto told = taken({rehash(10), other_type, rehash(30, 1, kMap, 256), smaller});
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(change(told[1]).map->number, 2U);
  EXPECT_EQ(change(told[2]).map->number, 3U);
  EXPECT_EQ(change(told[3]).map->number, 4U);
}

TEST_F(MapOperationsTest, AHeaderOnTheStackMovesWithIt) {
  auto before = on_stack(rehash(10), 480);
  auto after = on_stack(rehash(20, 1, kMap + 4096, 128), 480);
  auto other = on_stack(rehash(30, 1, kMap, 256), 480);
  other.goid = 4;
  auto told = taken({before, after, other});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[1]).map->number, 1U);
  EXPECT_EQ(change(told[1]).map->address, ProcessAddress{kMap + 4096});
  EXPECT_EQ(change(told[1]).map->stack_distance, 480U);
  EXPECT_EQ(change(told[2]).map->number, 2U);
}

TEST_F(MapOperationsTest, AnUnreadHeaderLeavesUnknownWhatItWouldTell) {
  auto event = with_table(operation(MAP_OPERATION_REHASH, 10), front(56, 64));
  event.map = kMap;
  auto told = one({event});
  EXPECT_EQ(change(told).len, std::nullopt);
  EXPECT_EQ(change(told).map->seed, std::nullopt);
  EXPECT_EQ(change(told).slots_before, std::nullopt);
  EXPECT_EQ(change(told).table_slots_before, 64U);
}

TEST_F(MapOperationsTest, ATornHeaderIsNotBelieved) {
  auto event = rehash(10);
  event.map_header[3] = 3; // no power of two
  auto told = one({event});
  EXPECT_EQ(change(told).len, std::nullopt);
  event = rehash(20);
  event.table_front = front(5000, 64);
  told = one({event});
  EXPECT_EQ(change(told).table_slots_before, std::nullopt);
  EXPECT_EQ(change(told).bytes, std::nullopt);
}

TEST_F(MapOperationsTest, ACreationTellsItsHintAndWhatItAsksFor) {
  auto event = operation(MAP_OPERATION_NEW_MAP, 10);
  event.map_type = kIntMap;
  event.hint = 100;
  auto told = one({event});
  EXPECT_EQ(told.kind, TraceKind::map_created);
  EXPECT_EQ(change(told).map, std::nullopt);
  EXPECT_EQ(change(told).hint, 100U);
  EXPECT_EQ(change(told).slots_after, 128U);
  EXPECT_EQ(change(told).bytes, 2392U);
  auto small = one({operation(MAP_OPERATION_MAKE_SMALL, 20)});
  EXPECT_EQ(change(small).hint, std::nullopt);
  EXPECT_EQ(change(small).type, nullptr);
  EXPECT_EQ(change(small).bytes, 48U);
}

TEST(ClassicMapOperationsTest, HashGrowDoublesOrRehashesAsTheLoadFactorSays) {
  struct Case {
    GoVersion version;
    std::uint64_t len, log_buckets;
    TraceKind kind;
  };
  // 6.5 entries a bucket; 6 in Go 1.21.
  for (const Case &wanted : {Case{{1, 23, 12}, 13, 1, TraceKind::map_grown},
                             Case{{1, 23, 12}, 12, 1, TraceKind::map_rehashed},
                             Case{{1, 21, 13}, 12, 1, TraceKind::map_grown},
                             Case{{1, 21, 13}, 11, 1, TraceKind::map_rehashed},
                             Case{{1, 17, 13}, 8, 0, TraceKind::map_grown}}) {
    BinaryFacts facts = facts_of(MapImplementation::classic, wanted.version);
    FakeNames names = names_of_program();
    TraceAttributor attributor{kProcess, facts, names, false};
    attributor.add(hash_grow(wanted.len, wanted.log_buckets));
    auto told = attributor.take();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].kind, wanted.kind) << wanted.version.minor << " " << wanted.len;
    EXPECT_EQ(change(told[0]).map->seed, 0xabcdU);
    EXPECT_EQ(change(told[0]).slots_before, 8U << wanted.log_buckets);
    bool doubles = wanted.kind == TraceKind::map_grown;
    EXPECT_EQ(change(told[0]).slots_after, 8U << (wanted.log_buckets + doubles));
  }
}

TEST(ClassicMapOperationsTest, WhetherTheFirstSpareBucketsNeedAMapextraIsNotAlwaysKnown) {
  FakeNames names = names_of_program();
  for (GoVersion version : {GoVersion{1, 23, 12}, GoVersion{1, 25, 14}}) {
    BinaryFacts facts = facts_of(MapImplementation::classic, version);
    TraceAttributor attributor{kProcess, facts, names, false};
    attributor.add(hash_grow(52, 3)); // from 8 buckets to 16, which have a spare one
    attributor.add(hash_grow(104, 4));
    auto told = attributor.take();
    ASSERT_EQ(told.size(), 2U);
    bool is_known = version < GoVersion{1, 24};
    EXPECT_EQ(change(told[0]).bytes.has_value(), is_known);
    EXPECT_TRUE(change(told[1]).bytes);
  }
}

} // namespace
} // namespace mapscope
