// Twins of map_operation, map_operation_return, heap_request and image_entry, and of what
// stands behind them: windows, the stack walk, and their verdict on a call.
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/goroutine_bpf_test.h"

namespace mapscope::testing {
namespace {

FakeRun unmapping(std::uint64_t bytes) {
  return {.number = SYS_munmap, .arguments = {0x10000, bytes, 0}};
}
constexpr std::uint64_t kMark = 0x5a000; // bytes that no other munmap of the child has

class MapOperationBpfTest : public GoroutineBpfTest {
protected:
  // Where the calls with kMark bytes were put, in order.
  std::vector<system_call_event> marked_calls() {
    ASSERT_TRUE_OR_EMPTY(tracer_->watch_system_calls());
    child_->run();
    tracer_->unwatch_system_calls();
    std::vector<system_call_event> found;
    for (const Event &event : events()) {
      const auto *detail = std::get_if<system_call_detail_event>(&event.body);
      const auto *call = detail ? &detail->call : std::get_if<system_call_event>(&event.body);
      if (call && call->number == SYS_munmap && call->arguments[1] == kMark)
        found.push_back(*call);
    }
    return found;
  }
  static void ASSERT_TRUE_OR_EMPTY(const Result<> &result) {
    EXPECT_TRUE(result) << result.error().message();
  }
};

TEST_F(MapOperationBpfTest, TellsArgumentsGoroutineAndCaller) {
  start([] { run_on_goroutine({.ax = 0x1111, .bx = 100, .cx = 0, .number = SYS_getppid}); },
        fake_target());
  probe_map_function(MAP_OPERATION_NEW_MAP);
  child_->run();

  auto operations = events_of<map_operation_event>();
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].operation, MAP_OPERATION_NEW_MAP);
  EXPECT_EQ(operations[0].map_type, 0x1111u);
  EXPECT_EQ(operations[0].hint, 100u);
  EXPECT_EQ(operations[0].goid, kGoroutine);
  EXPECT_EQ(operations[0].header_on_stack, 0);
  EXPECT_EQ(operations[0].header_read, 0); // no map yet
  EXPECT_EQ(tracer_->counts(index_).operations[MAP_OPERATION_NEW_MAP], 1u);
}

TEST_F(MapOperationBpfTest, OnAStackCheckThatFailsTheFunctionIsNotEnteredYet) {
  start(
      [] {
        run_on_goroutine({.number = SYS_getppid, .left = 0, .right = 1}); // jbe would jump
        run_on_goroutine({.number = SYS_getppid, .left = 1, .right = 0});
      },
      fake_target());
  probe(UprobeProgram::map_operation, fake_map_function,
        PROBE_COOKIE(MAP_OPERATION_MAKE_SMALL, true, index_) | PROBE_COOKIE_STACK_CHECK(true));
  child_->run();
  EXPECT_EQ(tracer_->counts(index_).operations[MAP_OPERATION_MAKE_SMALL], 1u);
}

TEST_F(MapOperationBpfTest, KnowsAHeaderOnTheGoroutinesStack) {
  start(
      [] {
        std::uint64_t header[6] = {5, 0xfeed, 0, 0, 0, 0}; // used, seed
        run_on_goroutine({.ax = reinterpret_cast<std::uint64_t>(&header[0]),
                          .bx = 0x2222,
                          .number = SYS_getppid});
      },
      fake_target());
  probe_map_function(MAP_OPERATION_GROW_TO_TABLE);
  child_->run();

  auto operations = events_of<map_operation_event>();
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].header_on_stack, 1);
  EXPECT_LT(operations[0].header_distance, operations[0].stack_distance); // it lies higher
  EXPECT_GT(operations[0].header_distance, 0u);
  EXPECT_EQ(operations[0].header_read, 1);
  EXPECT_EQ(operations[0].map_header[0], 5u);
  EXPECT_EQ(operations[0].map_header[1], 0xfeedu);
  EXPECT_EQ(tracer_->counts(index_).operations_on_stack[MAP_OPERATION_GROW_TO_TABLE], 1u);
}

TEST_F(MapOperationBpfTest, ClearingIsToldItsMapInBothImplementations) {
  for (unsigned swiss : {0U, unsigned{TARGET_SWISS}}) {
    target settings = fake_target();
    settings.flags |= swiss;
    start([] { run_on_goroutine({.ax = 0x1110, .bx = 0x2220, .number = SYS_getppid}); }, settings);
    probe_map_function(MAP_OPERATION_CLEAR);
    child_->run();
    auto operations = events_of<map_operation_event>();
    ASSERT_EQ(operations.size(), 1u);
    EXPECT_EQ(operations[0].map, swiss ? 0x1110u : 0x2220u); // (*Map).Clear(m; t), mapclear(t, h)
    EXPECT_EQ(operations[0].map_type, swiss ? 0x2220u : 0x1110u);
  }
}

constexpr std::uint64_t kWantedMap = 0x77770;

TEST_F(MapOperationBpfTest, OnlyTheWantedMapIsSentAndAllAreCounted) {
  start(
      [] {
        run_on_goroutine({.ax = 0x11110, .number = SYS_getppid});
        run_on_goroutine({.ax = kWantedMap, .number = SYS_getppid});
        run_on_goroutine({.ax = 0, .number = SYS_getppid});
      },
      fake_target(), {.emit_operations = 1, .only_map = kWantedMap});
  probe_map_function(MAP_OPERATION_GROW_TO_TABLE);
  child_->run();
  std::vector<Event> all = events();
  ASSERT_EQ(all.size(), 2u); // with its stack
  EXPECT_EQ(std::get<map_operation_event>(all[1].body).map, kWantedMap);
  EXPECT_EQ(tracer_->counts(index_).operations[MAP_OPERATION_GROW_TO_TABLE], 3u);
}

TEST_F(MapOperationBpfTest, SmallHeapRequestsAreCountedAndNotSent) {
  start(
      [] {
        run_on_goroutine({.bx = 99, .number = SYS_getppid});
        run_on_goroutine({.bx = 100, .number = SYS_getppid});
      },
      fake_target(), {.emit_operations = 1, .min_bytes = 100});
  probe(UprobeProgram::heap_request, fake_map_function,
        PROBE_COOKIE(HEAP_REQUEST_LARGE, false, index_));
  child_->run();
  auto requests = events_of<heap_request_event>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].bytes, 100u);
  EXPECT_NE(requests[0].stack, 0u);
  EXPECT_EQ(tracer_->counts(index_).large_allocation_bytes[1], 199u);
}

// {used, capacity, growthLeft, localDepth} of a swiss table.
void rehash_table_of(std::uint16_t capacity) {
  std::uint16_t table[16] = {7, capacity};
  run_on_goroutine({.ax = reinterpret_cast<std::uint64_t>(&table[0]), .number = SYS_getppid});
}

TEST_F(MapOperationBpfTest, ARehashOfASmallTableDoublesIt) {
  start([] { rehash_table_of(512); }, fake_target());
  probe_map_function(MAP_OPERATION_REHASH);
  child_->run();
  EXPECT_EQ(tracer_->counts(index_).table_grows, 1u);
  EXPECT_EQ(tracer_->counts(index_).table_splits, 0u);
  auto operations = events_of<map_operation_event>();
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].table_read, 1);
  EXPECT_EQ(operations[0].table_front, 7u | 512u << 16);
}

TEST_F(MapOperationBpfTest, ARehashOfAFullSizedTableSplitsIt) {
  start([] { rehash_table_of(1024); }, fake_target());
  probe_map_function(MAP_OPERATION_REHASH);
  child_->run();
  EXPECT_EQ(tracer_->counts(index_).table_grows, 0u);
  EXPECT_EQ(tracer_->counts(index_).table_splits, 1u);
}

TEST_F(MapOperationBpfTest, BothWitnessesSeeACallInside) {
  start([] { run_on_goroutine(unmapping(kMark)); }, fake_target());
  probe_map_function(MAP_OPERATION_MAKE_SMALL);

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].place, CALL_INSIDE);
  EXPECT_EQ(calls[0].operation, MAP_OPERATION_MAKE_SMALL);
  EXPECT_EQ(calls[0].goid, kGoroutine);
  EXPECT_EQ(calls[0].witnesses & (WITNESS_WINDOW | WITNESS_STACK | WITNESS_WINDOWED),
            unsigned{WITNESS_WINDOW | WITNESS_STACK | WITNESS_WINDOWED});
}

TEST_F(MapOperationBpfTest, ACallAfterTheReturnIsOutside) {
  start([] { run_on_goroutine(unmapping(kMark)); }, fake_target());
  probe_map_function(MAP_OPERATION_MAKE_SMALL);

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].place, CALL_OUTSIDE);
  EXPECT_EQ(calls[1].goid, kGoroutine); // it was looked at, not just passed over
}

TEST_F(MapOperationBpfTest, WithoutAProbeTheStackAloneSeesTheCall) {
  start([] { run_on_goroutine(unmapping(kMark)); }, fake_target());

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].place, CALL_STACK_ONLY);
}

TEST_F(MapOperationBpfTest, UnderAFunctionWithoutWindowThatIsNoDisagreement) {
  target settings = fake_target();
  settings.windowed[0] = {};
  settings.windowed_count = 0;
  start([] { run_on_goroutine(unmapping(kMark)); }, settings);

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].place, CALL_UNDER_WRITE);
}

TEST_F(MapOperationBpfTest, WithoutMapRangesTheWindowAloneSeesIt) {
  target settings = fake_target();
  settings.map_ranges[0] = {};
  settings.map_range_count = 0;
  start([] { run_on_goroutine(unmapping(kMark)); }, settings);
  probe_map_function(MAP_OPERATION_MAKE_SMALL);

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].place, CALL_WINDOW_ONLY);
}

TEST_F(MapOperationBpfTest, AReturnProbeClosesTheWindowAndTellsTheResult) {
  static std::uint64_t header[6] = {0, 0xfeed, 0, 0, 0, 0};
  const std::uint64_t made = reinterpret_cast<std::uint64_t>(&header[0]);
  start([made] { run_on_goroutine({.number = SYS_getppid, .result = made}); }, fake_target());
  probe_map_function(MAP_OPERATION_NEW_MAP);
  probe(UprobeProgram::map_operation_return, fake_map_return,
        PROBE_COOKIE(MAP_OPERATION_NEW_MAP, false, index_));
  child_->run();

  auto operations = events_of<map_operation_event>();
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(operations[1].is_return, 1);
  EXPECT_EQ(operations[1].map, made);
  EXPECT_EQ(operations[1].header_read, 1);
  EXPECT_EQ(operations[1].map_header[1], 0xfeedu);
  EXPECT_EQ(operations[1].stack, 0u);
}

TEST_F(MapOperationBpfTest, AReturnThatHasNoMapTellsTheMapOfTheEntry) {
  start([] { run_on_goroutine({.ax = 0x11110, .number = SYS_getppid, .result = 0xabc}); },
        fake_target());
  probe_map_function(MAP_OPERATION_GROW_TO_TABLE);
  probe(UprobeProgram::map_operation_return, fake_map_return,
        PROBE_COOKIE(MAP_OPERATION_GROW_TO_TABLE, false, index_));
  child_->run();

  auto operations = events_of<map_operation_event>();
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(operations[1].map, 0x11110u);
}

TEST_F(MapOperationBpfTest, OnTheSystemStackTheGoroutinesFramesAreWalked) {
  target settings = fake_target();
  settings.systemstack_switch = 0x1234;
  start(
      [] {
        // g0 runs, and curg waits at systemstack_switch with its frame pointer at a frame that
        // returns into the map function.
        std::uint64_t frame[4] = {0, address_of(fake_map_return), 0, 0};
        std::uint64_t here = reinterpret_cast<std::uint64_t>(&frame[0]);
        FakeRuntime runtime{here - 65536, here + 4096, kGoroutine};
        runtime.g[kSched / 8] = here;
        runtime.g[kSched / 8 + 1] = 0x1234 + own_address(&fake_text_start).bias.value + 8;
        runtime.g[kSched / 8 + 5] = here;
        FakeRun run = unmapping(kMark);
        run.g = reinterpret_cast<std::uint64_t>(runtime.g0.data());
        fake_user_code(&run);
      },
      settings);

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].place, CALL_STACK_ONLY); // made by the other function, on g0
  EXPECT_TRUE(calls[1].witnesses & WITNESS_SYSTEM_STACK);
  EXPECT_EQ(calls[1].goid, kGoroutine);
}

TEST_F(MapOperationBpfTest, AThreadWithoutGoroutineIsOutside) {
  start(
      [] {
        std::uint64_t here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
        FakeRuntime runtime{here - 65536, here + 4096, kGoroutine};
        runtime.m[kCurg / 8] = 0;
        FakeRun run = unmapping(kMark);
        run.g = reinterpret_cast<std::uint64_t>(runtime.g0.data());
        fake_user_code(&run);
      },
      fake_target());

  auto calls = marked_calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].place, CALL_OUTSIDE);
  EXPECT_TRUE(calls[0].witnesses & WITNESS_NO_GOROUTINE);
}

TEST_F(MapOperationBpfTest, AWrongTlsOffsetIsNoticed) {
  target settings = fake_target();
  settings.flags |= TARGET_TLS_KNOWN;
  settings.tls_offset = 0; // the thread control block itself, which is no g
  start([] { run_on_goroutine(unmapping(kMark)); }, settings);
  marked_calls();
  EXPECT_EQ(tracer_->counts(index_).lost[LOSS_TLS_MISMATCH], 2u);
}

TEST_F(MapOperationBpfTest, AnUnreadableGoroutineIsALossAndNoGuess) {
  target settings = fake_target();
  settings.goroutine_seen = 1;
  start(
      [] {
        FakeRun run = unmapping(kMark);
        run.g = 0x10; // nothing is mapped there
        fake_user_code(&run);
      },
      settings);
  marked_calls();
  EXPECT_EQ(tracer_->counts(index_).lost[LOSS_GOROUTINE_UNREADABLE], 2u);
}

TEST_F(MapOperationBpfTest, AHeapRequestUnderAMapFunctionIsTheMaps) {
  constexpr std::uint64_t kBytes = 40960;
  start([] { run_on_goroutine({.bx = kBytes, .number = SYS_getppid}); }, fake_target());
  // The function that the map function calls, and then the user code itself.
  probe(UprobeProgram::heap_request, fake_other_function,
        PROBE_COOKIE(HEAP_REQUEST_LARGE, false, index_));
  child_->run();
  target_counts counts = tracer_->counts(index_);
  EXPECT_EQ(counts.large_allocation_count[1], 1u); // inside
  EXPECT_EQ(counts.large_allocation_bytes[1], kBytes);
  EXPECT_EQ(counts.large_allocation_count[0], 1u);
}

TEST_F(MapOperationBpfTest, HeapGrowthIsToldInBytesAndNotInPages) {
  start([] { run_on_goroutine({.bx = 3, .number = SYS_getppid}); }, fake_target());
  probe(UprobeProgram::heap_request, fake_map_function,
        PROBE_COOKIE(HEAP_REQUEST_GROW, false, index_));
  child_->run();
  EXPECT_EQ(tracer_->counts(index_).heap_grown_bytes[1], 3u * 8192); // a map function itself
}

TEST_F(MapOperationBpfTest, TheEntryPointTellsTheLoadBias) {
  target settings = fake_target();
  std::uint64_t bias = settings.load_bias;
  settings.load_bias = 0;
  settings.flags &= ~unsigned{TARGET_BIAS_KNOWN};
  settings.entry = address_of(fake_map_function) - bias;
  start([] { run_on_goroutine({.number = SYS_getppid}); }, settings);
  probe(UprobeProgram::image_entry, fake_map_function, PROBE_COOKIE(0, false, index_));
  child_->run();

  auto entries = events_of<image_entry_event>();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].load_bias, bias);
  EXPECT_EQ(tracer_->target_at(index_).load_bias, bias);
  EXPECT_TRUE(tracer_->target_at(index_).flags & TARGET_BIAS_KNOWN);
}

} // namespace
} // namespace mapscope::testing
