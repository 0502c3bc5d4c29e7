// Twin of map_misuse: which reports are told, and what is told of the map.
#include <poll.h>
#include <sys/syscall.h>

#include <cstring>

#include "support/goroutine_bpf_test.h"

namespace mapscope::testing {
namespace {

constexpr const char *kWrites = "concurrent map writes";
constexpr const char *kNilMap = "assignment to entry in nil map";

// The front of maps as the runtime has them while somebody writes.
alignas(16) std::uint64_t swiss_map[6] = {100, 0xfeed, 0x10000, 1, 0x14000 | 1 << 16, 0};
alignas(16) std::uint64_t idle_swiss_map[6] = {5, 0xbeef, 0x10000, 0, 0, 0};
alignas(16) std::uint64_t classic_map[6] = {100, 0xabcd000000000404, 0x10000, 0, 0, 0};

std::uint64_t address_of(const auto &object) { return reinterpret_cast<std::uint64_t>(&object); }

// fatal(s string), with the map's address in a register that the caller used.
void report_fatal(const char *message, const std::uint64_t *map) {
  // A page that this process has not touched since it was forked can't be read by a BPF program.
  [[maybe_unused]] const std::uint64_t first = *const_cast<const volatile std::uint64_t *>(map);
  run_on_goroutine({.ax = reinterpret_cast<std::uint64_t>(message),
                    .bx = std::strlen(message),
                    .cx = reinterpret_cast<std::uint64_t>(map),
                    .number = SYS_getppid});
}

// gopanic(e any)
void panic_with(const char *message) {
  struct {
    const char *text;
    std::uint64_t len;
  } string{message, std::strlen(message)};
  run_on_goroutine({.ax = 0x1110, .bx = address_of(string), .number = SYS_getppid});
}

class MapMisuseBpfTest : public GoroutineBpfTest {
protected:
  std::vector<map_misuse_event> misuses_of(std::function<void()> body, map_misuse misuse,
                                           unsigned flags = TARGET_SWISS) {
    target settings = fake_target();
    settings.runtime = settings.map_ranges[0] = settings.text; // the fake caller is a map function
    settings.flags |= flags;
    start(std::move(body), settings);
    probe(UprobeProgram::map_misuse, fake_map_function, PROBE_COOKIE(misuse, false, index_));
    child_->run();
    return events_of<map_misuse_event>();
  }
};

TEST_F(MapMisuseBpfTest, ConcurrentUseIsToldWithTheMap) {
  auto misuses = misuses_of([] { report_fatal(kWrites, swiss_map); }, MAP_MISUSE_CONCURRENT);
  ASSERT_EQ(misuses.size(), 1u);
  const map_misuse_event &misuse = misuses[0];
  EXPECT_EQ(misuse.misuse, MAP_MISUSE_CONCURRENT);
  EXPECT_STREQ(misuse.message, kWrites);
  EXPECT_EQ(misuse.goid, kGoroutine);
  EXPECT_NE(misuse.stack, 0u);
  EXPECT_GT(misuse.word_count, 0u);
  EXPECT_EQ(misuse.words[0], address_of(fake_after_map_call));
  ASSERT_GE(misuse.map_count, 1);
  EXPECT_EQ(misuse.maps[0].address, address_of(swiss_map));
  EXPECT_EQ(misuse.maps[0].header[1], 0xfeedu);
}

TEST_F(MapMisuseBpfTest, AClassicMapIsKnownByItsFlags) {
  auto misuses = misuses_of([] { report_fatal(kWrites, classic_map); }, MAP_MISUSE_CONCURRENT, 0);
  ASSERT_EQ(misuses.size(), 1u);
  ASSERT_GE(misuses[0].map_count, 1);
  EXPECT_EQ(misuses[0].maps[0].address, address_of(classic_map));
}

TEST_F(MapMisuseBpfTest, AMapThatNobodyWritesAnyMoreIsStillACandidate) {
  auto misuses = misuses_of([] { report_fatal(kWrites, idle_swiss_map); }, MAP_MISUSE_CONCURRENT);
  ASSERT_EQ(misuses.size(), 1u);
  bool is_told = false;
  for (int i = 0; i < misuses[0].map_count; ++i)
    is_told |= misuses[0].maps[i].address == address_of(idle_swiss_map);
  EXPECT_TRUE(is_told);
}

TEST_F(MapMisuseBpfTest, AGoroutineReportsOnceAndAlsoWhereItsMessageIsNotInMemory) {
  auto misuses = misuses_of(
      [] {
        // maps.fatal, which calls runtime.fatal; both are probed
        FakeRuntime runtime{0x1000, ~0ULL >> 1, kGoroutine};
        FakeRun run{.g = reinterpret_cast<std::uint64_t>(runtime.g.data()),
                    .ax = 0x1000, // nothing is there: the length decides
                    .bx = std::strlen(kWrites),
                    .number = SYS_getppid};
        fake_user_code(&run);
        fake_user_code(&run);
      },
      MAP_MISUSE_CONCURRENT);
  ASSERT_EQ(misuses.size(), 1u);
  EXPECT_STREQ(misuses[0].message, kWrites);
}

TEST_F(MapMisuseBpfTest, OtherFatalErrorsAreNotTold) {
  EXPECT_TRUE(misuses_of(
                  [] {
                    report_fatal("all goroutines are asleep - deadlock!", swiss_map);
                    report_fatal("concurrent", swiss_map);
                    report_fatal("", swiss_map);
                    run_on_goroutine({.ax = 8, .bx = ~0ULL, .number = SYS_getppid});
                  },
                  MAP_MISUSE_CONCURRENT)
                  .empty());
}

TEST_F(MapMisuseBpfTest, AnAssignmentToANilMapIsToldEachTime) {
  auto misuses = misuses_of(
      [] {
        panic_with(kNilMap);
        panic_with(kNilMap);
      },
      MAP_MISUSE_NIL_MAP);
  ASSERT_EQ(misuses.size(), 2u);
  EXPECT_EQ(misuses[0].misuse, MAP_MISUSE_NIL_MAP);
  EXPECT_STREQ(misuses[0].message, kNilMap);
  EXPECT_EQ(misuses[0].map_count, 0);
}

TEST_F(MapMisuseBpfTest, AnAssignmentToANilMapIsToldAlsoWhereItsMessageIsNotInMemory) {
  auto panics = [] { run_on_goroutine({.ax = 0x1110, .bx = 8, .number = SYS_getppid}); };
  auto misuses = misuses_of(panics, MAP_MISUSE_NIL_MAP);
  ASSERT_EQ(misuses.size(), 1u);
  EXPECT_STREQ(misuses[0].message, kNilMap);
}

TEST_F(MapMisuseBpfTest, OtherPanicsAreNotTold) {
  EXPECT_TRUE(misuses_of(
                  [] {
                    panic_with("assignment to entry in nil mop");
                    panic_with("assignment to entry in nil map!");
                  },
                  MAP_MISUSE_NIL_MAP)
                  .empty());
}

TEST_F(MapMisuseBpfTest, UserCodeThatPanicsWithTheSameWordsIsNotTold) {
  start([] { panic_with(kNilMap); }, fake_target()); // the caller is outside the runtime
  probe(UprobeProgram::map_misuse, fake_map_function,
        PROBE_COOKIE(MAP_MISUSE_NIL_MAP, false, index_));
  child_->run();
  EXPECT_TRUE(events_of<map_misuse_event>().empty());
}

TEST_F(MapMisuseBpfTest, WakesTheReaderAtOnce) {
  misuses_of([] { report_fatal(kWrites, swiss_map); }, MAP_MISUSE_CONCURRENT);
  EXPECT_EQ(tracer_->event_totals()[EVENT_KIND_MAP_MISUSE].sent, 1u);
  child_.emplace([] { report_fatal(kWrites, swiss_map); });
  index_ = watch(child_->pid(), [] {
    target settings = fake_target();
    settings.runtime = settings.text;
    return settings;
  }());
  probe(UprobeProgram::map_misuse, fake_map_function,
        PROBE_COOKIE(MAP_MISUSE_CONCURRENT, false, index_));
  pollfd waiting{.fd = tracer_->wake_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  child_->run();
  EXPECT_EQ(::poll(&waiting, 1, 0), 1);
}

} // namespace
} // namespace mapscope::testing
