// TraceAttributor on records written by hand: which map, which kind, how much, and in what order.
#include "attribute/trace_attributor.h"

#include <cstring>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "support/fake_names.h"

namespace mapscope {
namespace {

using testing::FakeNames;

constexpr ProcessKey kProcess{.pid = 100, .start_time_ns = 5};
constexpr std::uint64_t kText = 0x1000, kRehash = 0x2000, kMapAssign = 0x3000, kFill = 0x5000,
                        kMain = 0x6000, kIntMap = 0x9000, kStringMap = 0x9100;
constexpr std::uint64_t kMap = 0xc000010000, kTable = 0xc000020000;
constexpr std::uint64_t kStack = 77;

BinaryFacts facts_of(MapImplementation implementation, GoVersion version) {
  BinaryFacts facts;
  facts.version = version;
  facts.map_implementation = implementation;
  facts.text = {{kText}, 0x6000};
  return facts;
}

FakeNames names_of_program() {
  FakeNames names;
  names.lines = {{kRehash, {{"internal/runtime/maps.(*table).rehash", "table.go", 1145}}},
                 {kMapAssign, {{"runtime.mapassign_fast64", "runtime_fast64.go", 200}}},
                 {kFill, {{"main.put", "main.go", 12, true}, {"main.fill", "main.go", 20}}},
                 {kMain, {{"main.main", "main.go", 40}}}};
  names.types = {
      {kIntMap, {.name = "map[int]int", .group_bytes = 136}},
      {kStringMap, {.name = "map[string]int", .group_bytes = 200, .group_has_pointers = true}}};
  return names;
}

// Of a swiss table: used, slots, growth left, local depth.
std::uint64_t front(std::uint64_t used, std::uint64_t slots, std::uint64_t growth_left = 0,
                    std::uint64_t local_depth = 0) {
  return used | slots << 16 | growth_left << 32 | local_depth << 48;
}

struct SwissHeader {
  std::uint64_t len = 0, seed = 1, storage = 0xc000030000, directory_len = 1;
};

map_operation_event operation(enum map_operation kind, std::uint64_t time_ns) {
  map_operation_event event{};
  event.header.time_ns = time_ns;
  event.header.tid = 7;
  event.goid = 3;
  event.operation = kind;
  event.stack_distance = 200;
  return event;
}

map_operation_event with_header(map_operation_event event, const SwissHeader &header,
                                std::uint64_t map = kMap, std::uint64_t type = kIntMap) {
  event.map = map;
  event.map_type = type;
  event.header_read = 1;
  event.map_header[0] = header.len;
  event.map_header[1] = header.seed;
  event.map_header[2] = header.storage;
  event.map_header[3] = header.directory_len;
  std::uint64_t depth = 0;
  while (header.directory_len != 0 && std::uint64_t{1} << depth < header.directory_len)
    ++depth;
  event.map_header[4] = depth;
  return event;
}

map_operation_event with_table(map_operation_event event, std::uint64_t table_front,
                               std::uint64_t table = kTable) {
  event.table = table;
  event.table_front = table_front;
  event.table_read = 1;
  return event;
}

map_operation_event on_stack(map_operation_event event, std::uint64_t distance) {
  event.header_on_stack = 1;
  event.header_distance = distance;
  return event;
}

// A map with this seed, whose one table is full.
map_operation_event rehash(std::uint64_t time_ns, std::uint64_t seed = 1, std::uint64_t map = kMap,
                           std::uint64_t slots = 64) {
  std::uint64_t used = slots / 8 * 7;
  return with_table(
      with_header(operation(MAP_OPERATION_REHASH, time_ns), {.len = used, .seed = seed}, map),
      front(used, slots));
}

stack_event stack_of(std::initializer_list<std::uint64_t> pcs) {
  stack_event event{.id = kStack};
  std::size_t depth = 0;
  for (std::uint64_t pc : pcs)
    event.frames[depth] = pc + (depth == 0 ? 0 : 1), ++depth;
  return event;
}

const MapChange &change(const TraceEvent &event) { return std::get<MapChange>(event.what); }

class TraceAttributorTest : public ::testing::Test {
protected:
  std::vector<TraceEvent> taken(std::initializer_list<map_operation_event> events) {
    for (const auto &event : events)
      attributor.add(event);
    return attributor.take();
  }
  // The only event that these make.
  TraceEvent one(std::initializer_list<map_operation_event> events) {
    auto told = taken(events);
    EXPECT_EQ(told.size(), 1U);
    return told.empty() ? TraceEvent{} : told[0];
  }

  BinaryFacts facts = facts_of(MapImplementation::swiss, {1, 26, 8});
  FakeNames names = names_of_program();
  TraceAttributor attributor{kProcess, facts, names, false};
  TraceAttributor exact{kProcess, facts, names, true};
};

TEST_F(TraceAttributorTest, AGrowthIsToldWithMapTypeSlotsAndBytes) {
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

TEST_F(TraceAttributorTest, TypesAndStacksAreAskedForOnce) {
  attributor.add(stack_of({kRehash, kMapAssign, kFill, kMain}));
  auto event = rehash(10);
  event.stack = kStack;
  auto first = one({event});
  auto second = one({event});
  EXPECT_EQ(names.symbolize_requests, 1U);
  EXPECT_EQ(names.type_requests, 1U);
  EXPECT_EQ(change(first).type, change(second).type);
  ASSERT_TRUE(first.stack);
  EXPECT_EQ(first.stack, second.stack);
  EXPECT_EQ(first.stack->frames.size(), 4U);
  EXPECT_TRUE(first.stack->is_complete);
  ASSERT_NE(site_of(first), nullptr);
  EXPECT_EQ(site_of(first)->function, "main.put"); // inlined into main.fill
}

TEST_F(TraceAttributorTest, AStackThatNeverCameIsCounted) {
  auto event = rehash(10);
  event.stack = kStack;
  EXPECT_EQ(one({event}).stack, nullptr);
  EXPECT_EQ(attributor.counts().stacks_unknown, 1U);
}

TEST_F(TraceAttributorTest, ATypeThatTheFileDoesNotHaveIsUnknown) {
  auto event = rehash(10);
  event.map_type = 0xc000777000; // made by reflect
  auto told = one({event});
  EXPECT_EQ(change(told).type, nullptr);
  EXPECT_EQ(change(told).bytes, std::nullopt);
  EXPECT_EQ(change(told).slots_after, 128U);
  EXPECT_EQ(attributor.counts().types_unknown, 1U);
}

TEST_F(TraceAttributorTest, OfWhoCannotNameAnythingTheErrorIsTold) {
  names.is_broken = true;
  attributor.add(stack_of({kRehash, kFill}));
  auto event = rehash(10);
  event.stack = kStack;
  auto told = one({event});
  ASSERT_TRUE(told.stack);
  EXPECT_EQ(told.stack->site, std::nullopt);
  EXPECT_EQ(attributor.counts().addresses_unnamed, 2U);
  EXPECT_EQ(attributor.counts().error, "the parser is gone");
}

TEST_F(TraceAttributorTest, AFullTableOf1024SlotsSplits) {
  auto event =
      with_table(with_header(operation(MAP_OPERATION_REHASH, 10), {.len = 896}), front(896, 1024));
  auto told = one({event});
  EXPECT_EQ(told.kind, TraceKind::map_split);
  EXPECT_EQ(change(told).slots_before, 1024U);
  EXPECT_EQ(change(told).slots_after, 2048U);
  EXPECT_EQ(change(told).bytes, 36944U); // as the runtime counts, tests/fixtures/map_bytes
}

TEST_F(TraceAttributorTest, SlotsOfSeveralTablesAreKnownWhileEverySplitWasSeen) {
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

TEST_F(TraceAttributorTest, MoreEntriesThanTheTrackedSlotsHoldMakeThemUnknown) {
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

TEST_F(TraceAttributorTest, InnerStepsOfAGrowthAreNotToldAgain) {
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

TEST_F(TraceAttributorTest, ASplitWithoutItsRehashIsTheLine) {
  auto split = with_table(with_header(operation(MAP_OPERATION_TABLE_SPLIT, 10), {.len = 896}),
                          front(896, 1024));
  EXPECT_EQ(one({split}).kind, TraceKind::map_split);
  EXPECT_EQ(one({split}).kind, TraceKind::map_split); // another table at the same address
  auto install = split;
  install.operation = MAP_OPERATION_INSTALL_SPLIT;
  EXPECT_TRUE(taken({install}).empty());
}

TEST_F(TraceAttributorTest, MovesOfBucketsAreNoLine) {
  EXPECT_TRUE(taken({operation(MAP_OPERATION_GROW_WORK, 10)}).empty());
}

TEST_F(TraceAttributorTest, TheFirstGroupAndTheFirstTable) {
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

TEST_F(TraceAttributorTest, AnotherSeedAtTheAddressIsAnotherMap) {
  auto told = taken({rehash(10, 1, kMap, 16), rehash(20, 1, kMap, 32), rehash(30, 2, kMap, 64)});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[0]).map->number, 1U);
  EXPECT_EQ(change(told[1]).map->number, 1U);
  EXPECT_FALSE(change(told[1]).is_first_sight);
  EXPECT_EQ(change(told[2]).map->number, 2U);
  EXPECT_TRUE(change(told[2]).is_first_sight);
}

TEST_F(TraceAttributorTest, AfterAClearTheNewSeedIsOfTheSameMap) {
  auto clear = with_header(operation(MAP_OPERATION_CLEAR, 20), {.len = 60, .seed = 1});
  auto told = taken({rehash(10, 1), clear, rehash(30, 2, kMap, 128), rehash(40, 3, kMap, 256)});
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[1].kind, TraceKind::map_cleared);
  EXPECT_EQ(change(told[1]).len, 60U);
  EXPECT_EQ(change(told[1]).bytes, 0U);
  EXPECT_EQ(change(told[2]).map->number, 1U);
  EXPECT_EQ(change(told[3]).map->number, 2U); // cleared once, not twice
}

TEST_F(TraceAttributorTest, ClearingAnEmptyMapKeepsItsSeed) {
  auto clear = with_header(operation(MAP_OPERATION_CLEAR, 20), {.len = 0, .seed = 1});
  auto told = taken({rehash(10, 1), clear, rehash(30, 2, kMap, 128)});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(change(told[2]).map->number, 2U);
}

TEST_F(TraceAttributorTest, AMapKeepsItsTypeAndNeverShrinks) {
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

TEST_F(TraceAttributorTest, AHeaderOnTheStackMovesWithIt) {
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

TEST_F(TraceAttributorTest, AnUnreadHeaderLeavesUnknownWhatItWouldTell) {
  auto event = with_table(operation(MAP_OPERATION_REHASH, 10), front(56, 64));
  event.map = kMap;
  auto told = one({event});
  EXPECT_EQ(change(told).len, std::nullopt);
  EXPECT_EQ(change(told).map->seed, std::nullopt);
  EXPECT_EQ(change(told).slots_before, std::nullopt);
  EXPECT_EQ(change(told).table_slots_before, 64U);
}

TEST_F(TraceAttributorTest, ATornHeaderIsNotBelieved) {
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

TEST_F(TraceAttributorTest, ACreationTellsItsHintAndWhatItAsksFor) {
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

TEST_F(TraceAttributorTest, ACreationWaitsForTheReturnThatTellsItsMap) {
  auto entry = operation(MAP_OPERATION_NEW_MAP, 10);
  entry.map_type = kIntMap;
  entry.hint = 100;
  auto returned = with_header(operation(MAP_OPERATION_NEW_MAP, 12), {.seed = 9}, kMap, 0);
  returned.is_return = 1;
  exact.add(entry);
  EXPECT_TRUE(exact.take().empty());
  exact.add(returned);
  exact.add(rehash(20, 9, kMap, 128));
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::map_created);
  EXPECT_EQ(told[0].time_ns, 10U); // when it began
  ASSERT_TRUE(change(told[0]).map);
  EXPECT_EQ(change(told[0]).map->address, ProcessAddress{kMap});
  EXPECT_EQ(change(told[0]).map->seed, 9U);
  EXPECT_TRUE(change(told[1]).map->creation_seen);
  EXPECT_FALSE(change(told[1]).is_first_sight);
  EXPECT_EQ(change(told[1]).map->number, change(told[0]).map->number);
  EXPECT_EQ(exact.counts().returns_lost, 0U);
}

TEST_F(TraceAttributorTest, ACreationWhoseReturnIsLostIsToldWithoutItsMap) {
  auto entry = operation(MAP_OPERATION_MAKE_SMALL, 10);
  auto elsewhere = operation(MAP_OPERATION_MAKE_SMALL, 12);
  elsewhere.is_return = 1;
  elsewhere.map = kMap;
  elsewhere.stack_distance = 300; // of another call
  exact.add(entry);
  exact.add(elsewhere);
  EXPECT_TRUE(exact.take().empty());
  exact.add(rehash(20)); // creations do not nest
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::map_created);
  EXPECT_EQ(change(told[0]).map, std::nullopt);
  EXPECT_EQ(exact.counts().returns_lost, 1U);
  exact.add(entry);
  EXPECT_EQ(exact.take_all().size(), 1U);
}

TEST_F(TraceAttributorTest, WhatHappensInsideACreationIsToldBehindIt) {
  auto entry = operation(MAP_OPERATION_NEW_MAP, 10);
  heap_request_event request{.header = {.time_ns = 11}, .goid = 3, .bytes = 65536};
  request.request = HEAP_REQUEST_LARGE;
  auto returned = with_header(operation(MAP_OPERATION_NEW_MAP, 12), {});
  returned.is_return = 1;
  exact.add(entry);
  exact.add(request);
  EXPECT_TRUE(exact.take().empty());
  exact.add(returned);
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::map_created);
  EXPECT_EQ(told[1].kind, TraceKind::large_allocation);
}

TEST_F(TraceAttributorTest, ACopyIsToldWithItsOriginalAndKnowsTheNewMap) {
  auto entry = with_header(operation(MAP_OPERATION_CLONE, 20), {.len = 5, .directory_len = 0});
  auto returned =
      with_header(operation(MAP_OPERATION_CLONE, 21), {.len = 5, .directory_len = 0}, kMap + 48, 0);
  returned.is_return = 1;
  auto growth = with_header(operation(MAP_OPERATION_GROW_TO_TABLE, 30),
                            {.len = 8, .directory_len = 0}, kMap + 48);
  for (const auto &event : {entry, returned, growth})
    exact.add(event);
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::map_cloned);
  EXPECT_EQ(change(told[0]).map->address, ProcessAddress{kMap});
  EXPECT_EQ(change(told[0]).len, 5U);
  EXPECT_EQ(change(told[0]).bytes, 48U + 144U);
  EXPECT_TRUE(change(told[1]).map->creation_seen);
}

TEST_F(TraceAttributorTest, PruningThatGainedTooLittleIsTheGrowthThatFollows) {
  auto prune =
      with_table(with_header(operation(MAP_OPERATION_PRUNE, 10), {.len = 40}), front(40, 64));
  attributor.add(prune);
  EXPECT_TRUE(attributor.take().empty());
  attributor.add(
      with_table(with_header(operation(MAP_OPERATION_REHASH, 11), {.len = 40}), front(40, 64)));
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, TraceKind::map_grown);
}

TEST_F(TraceAttributorTest, PruningWithoutAGrowthIsARehashInPlace) {
  auto prune =
      with_table(with_header(operation(MAP_OPERATION_PRUNE, 10), {.len = 40}), front(40, 64));
  attributor.add(prune);
  EXPECT_TRUE(attributor.take().empty());
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, TraceKind::map_rehashed);
  EXPECT_EQ(change(told[0]).slots_after, 64U);
  EXPECT_EQ(change(told[0]).bytes, 0U);
  // Fewer tombstones than a tenth: the runtime gives up at once.
  auto vain =
      with_table(with_header(operation(MAP_OPERATION_PRUNE, 20), {.len = 54}), front(54, 64));
  attributor.add(vain);
  EXPECT_TRUE(attributor.take_all().empty());
}

TEST_F(TraceAttributorTest, EventsComeInTheOrderOfTime) {
  auto told = taken({rehash(30), rehash(10), rehash(20), rehash(10, 1, kMap + 48)});
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].time_ns, 10U);
  EXPECT_EQ(change(told[0]).map->address, ProcessAddress{kMap});
  EXPECT_EQ(change(told[1]).map->address, ProcessAddress{kMap + 48}); // stable
  EXPECT_EQ(told[3].time_ns, 30U);
}

TEST_F(TraceAttributorTest, AHeapRequestIsOfTheMapOperationOnItsStack) {
  attributor.add(stack_of({kRehash, kMapAssign, kFill}));
  heap_request_event request{.header = {.time_ns = 11}, .goid = 3, .bytes = 4 << 20};
  request.stack = kStack;
  request.request = HEAP_REQUEST_GROW;
  request.operation = MAP_OPERATION_NEW_MAP; // the stack says more
  attributor.add(request);
  request.witnesses = WITNESS_OTHER_SWITCH; // of the scheduler, on the goroutine's old frames
  request.operation = MAP_OPERATION_NONE;
  attributor.add(request);
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::heap_grown);
  const auto &grown = std::get<HeapRequest>(told[0].what);
  EXPECT_EQ(grown.bytes, 4U << 20);
  EXPECT_EQ(grown.operation, "growth");
  EXPECT_EQ(site_of(told[0])->function, "main.put");
  EXPECT_EQ(std::get<HeapRequest>(told[1].what).operation, std::nullopt);
}

TEST_F(TraceAttributorTest, OfCallsMemoryIsToldAndFilesInsideOperations) {
  system_call_event call{};
  call.header.time_ns = 10;
  call.header.tid = 7;
  call.wants_result = 1;
  call.number = 9; // mmap
  call.call_class = CALL_CLASS_MEMORY;
  call.arguments[3] = MAP_PRIVATE | MAP_ANONYMOUS;
  attributor.add(call);
  system_call_result_event result{.header = {.time_ns = 35, .tid = 7}, .call_time_ns = 10};
  result.number = 9;
  EXPECT_TRUE(attributor.add(result));
  system_call_event outside{};
  outside.number = 1; // write
  outside.call_class = CALL_CLASS_FILE;
  attributor.add(outside);
  auto inside = outside;
  inside.header.time_ns = 40;
  inside.place = CALL_INSIDE;
  inside.witnesses = WITNESS_WINDOW | WITNESS_STACK;
  attributor.add(inside);
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::memory_call);
  const auto &mmap_call = *std::get<std::shared_ptr<const AttributedCall>>(told[0].what);
  EXPECT_EQ(mmap_call.duration_ns, 25U);
  EXPECT_EQ(told[1].kind, TraceKind::file_call);
}

TEST_F(TraceAttributorTest, ExecAndExitAreTold) {
  process_exec_event exec{.header = {.time_ns = 10}};
  std::strcpy(exec.path, "/bin/true");
  attributor.add(exec);
  attributor.add(process_exit_event{.header = {.time_ns = 20}, .exit_code = 3 << 8});
  attributor.add(process_exit_event{.header = {.time_ns = 30}, .exit_code = 9});
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 3U);
  auto process = [&](std::size_t at) {
    return *std::get<std::shared_ptr<const ProcessChange>>(told[at].what);
  };
  EXPECT_EQ(process(0).path, "/bin/true");
  EXPECT_EQ(process(1).exit_status, 3);
  EXPECT_EQ(process(1).signal, std::nullopt);
  EXPECT_EQ(process(2).signal, 9);
}

TEST_F(TraceAttributorTest, AddressesOfAPositionIndependentExecutableNeedItsBias) {
  facts.is_pie = true;
  TraceAttributor moved{kProcess, facts, names, false};
  constexpr std::uint64_t kBias = 0x555500000000;
  auto event = rehash(10);
  event.map_type += kBias;
  event.stack = kStack;
  auto stack = stack_of({kRehash + kBias, kFill + kBias});
  moved.add(stack);
  moved.set_load_bias({kBias});
  moved.add(event);
  auto told = moved.take();
  ASSERT_EQ(told.size(), 1U);
  ASSERT_TRUE(change(told[0]).type);
  EXPECT_EQ(site_of(told[0])->function, "main.put");
}

// hmap: count; flags, B, noverflow, hash0; buckets.
map_operation_event hash_grow(std::uint64_t len, std::uint64_t log_buckets) {
  auto event = operation(MAP_OPERATION_HASH_GROW, 10);
  event.map = kMap;
  event.map_type = kIntMap;
  event.header_read = 1;
  event.map_header[0] = len;
  event.map_header[1] = log_buckets << 8 | std::uint64_t{0xabcd} << 32;
  event.map_header[2] = 0xc000030000;
  return event;
}

TEST(TraceAttributorClassicTest, HashGrowDoublesOrRehashesAsTheLoadFactorSays) {
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

TEST(TraceAttributorClassicTest, WhetherTheFirstSpareBucketsNeedAMapextraIsNotAlwaysKnown) {
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
