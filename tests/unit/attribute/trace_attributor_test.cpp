// TraceAttributor on records written by hand: what waits for what, names, and the order of events.
#include <cstring>

#include <sys/mman.h>

#include "unit/attribute/map_records.h"

namespace mapscope {
namespace {

using TraceAttributorTest = MapRecordsTest;

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

TEST_F(TraceAttributorTest, AMapOnTheStackIsTheSameBeforeAndAfterItsCreationReturns) {
  auto entry = on_stack(operation(MAP_OPERATION_NEW_MAP, 10), 480);
  entry.map = kMap;
  entry.map_type = kIntMap;
  entry.hint = 100;
  auto returned = with_header(operation(MAP_OPERATION_NEW_MAP, 12), {.seed = 9}, kMap, 0);
  returned.is_return = 1; // which does not say where the stack is
  exact.add(entry);
  exact.add(returned);
  exact.add(on_stack(rehash(20, 9, kMap, 128), 480));
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  ASSERT_TRUE(change(told[0]).map);
  EXPECT_EQ(change(told[0]).map->stack_distance, 480U);
  EXPECT_EQ(change(told[0]).map->seed, 9U);
  EXPECT_EQ(change(told[1]).map->number, change(told[0]).map->number);
  EXPECT_TRUE(change(told[1]).map->creation_seen);
}

TEST_F(TraceAttributorTest, WhatAGoroutineDoesInALongCreationIsToldBehindIt) {
  auto entry = operation(MAP_OPERATION_NEW_MAP, 10);
  heap_request_event inside{.header = {.time_ns = 11}, .goid = entry.goid, .bytes = 4096};
  inside.request = HEAP_REQUEST_GROW;
  heap_request_event elsewhere = inside;
  elsewhere.header.time_ns = 12;
  elsewhere.goid = entry.goid + 1;
  exact.add(entry);
  exact.add(inside);
  exact.add(elsewhere);
  EXPECT_TRUE(exact.take().empty());
  auto others = exact.take(); // it takes long: the others go on
  ASSERT_EQ(others.size(), 1U);
  EXPECT_EQ(others[0].goroutine, elsewhere.goid);
  auto returned = with_header(operation(MAP_OPERATION_NEW_MAP, 13), {.seed = 9}, kMap, 0);
  returned.is_return = 1;
  exact.add(returned);
  auto told = exact.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::map_created);
  EXPECT_EQ(told[1].kind, TraceKind::heap_grown);
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
  EXPECT_TRUE(change(told[0]).is_first_sight); // since the attempt to prune is not told
}

TEST_F(TraceAttributorTest, PruningInVainIsNoSightOfTheMap) {
  attributor.add(
      with_table(with_header(operation(MAP_OPERATION_PRUNE, 10), {.len = 54}), front(54, 64)));
  attributor.add(
      with_table(with_header(operation(MAP_OPERATION_REHASH, 11), {.len = 54}), front(54, 64)));
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(change(told[0]).is_first_sight);
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

system_call_event mmap_call(std::uint64_t time_ns) {
  system_call_event call{};
  call.header.time_ns = time_ns;
  call.header.tid = 7;
  call.wants_result = 1;
  call.number = 9;
  call.call_class = CALL_CLASS_MEMORY;
  call.arguments[3] = MAP_PRIVATE | MAP_ANONYMOUS;
  return call;
}

system_call_result_event mmap_result(std::uint64_t time_ns, std::uint64_t call_time_ns) {
  system_call_result_event result{.header = {.time_ns = time_ns, .tid = 7},
                                  .call_time_ns = call_time_ns};
  result.number = 9;
  return result;
}

TEST_F(TraceAttributorTest, WhatIsYoungerThanACallWaitsForItsResultToo) {
  attributor.add(rehash(5));
  attributor.add(mmap_call(10));
  attributor.add(rehash(20));
  auto before = attributor.take();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].time_ns, 5U);
  EXPECT_TRUE(attributor.add(mmap_result(35, 10)));
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, TraceKind::memory_call);
  EXPECT_EQ(told[1].time_ns, 20U);
}

TEST_F(TraceAttributorTest, NothingWaitsForACallThatTakesLong) {
  attributor.add(mmap_call(10));
  attributor.add(rehash(20));
  EXPECT_TRUE(attributor.take().empty());
  attributor.add(rehash(100'000'011));
  EXPECT_EQ(attributor.take().size(), 2U);
  EXPECT_TRUE(attributor.add(mmap_result(100'000'020, 10)));
  EXPECT_EQ(attributor.take().size(), 1U);
}

TEST_F(TraceAttributorTest, OfCallsMemoryIsToldAndFilesInsideOperations) {
  attributor.add(mmap_call(10));
  EXPECT_TRUE(attributor.add(mmap_result(35, 10)));
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
  const auto &call = *std::get<std::shared_ptr<const AttributedCall>>(told[0].what);
  EXPECT_EQ(call.duration_ns, 25U);
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

} // namespace
} // namespace mapscope
