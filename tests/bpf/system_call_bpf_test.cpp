// Twins of system_call_enter and system_call_exit: classes, descriptors, paths, results.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "support/traced_child.h"

namespace mapscope::testing {
namespace {

class SystemCallBpfTest : public BpfTest {
protected:
  // Runs `body` in a watched child; its counters. What it prepares before is not seen.
  target_counts counts_of(std::function<void()> body, std::uint8_t samples = 0) {
    load({.classify_outside = 1, .emit_call_samples = samples, .emit_memory_calls = 1});
    if (HasFatalFailure())
      return {};
    HeldChild child{std::move(body)};
    std::uint32_t index = watch(child.pid());
    EXPECT_TRUE(tracer_->watch_system_calls());
    child.run();
    tracer_->unwatch_system_calls();
    return tracer_->counts(index);
  }
};

constexpr int kCalls = 100;

// A hundred writes on what `make` returns.
std::function<void()> writes_on(std::function<int()> make) {
  return [make] {
    int fd = make();
    std::uint64_t one = 1; // eight bytes, as an eventfd wants
    for (int i = 0; i < kCalls; ++i) [[maybe_unused]]
      ssize_t size = ::write(fd, &one, sizeof(one));
  };
}

TEST_F(SystemCallBpfTest, CountsEveryCallByNumber) {
  auto counts = counts_of([] {
    for (int i = 0; i < kCalls; ++i)
      ::syscall(SYS_getppid);
  });
  EXPECT_EQ(counts.calls_outside[SYS_getppid], static_cast<unsigned>(kCalls));
}

TEST_F(SystemCallBpfTest, AWriteToARegularFileIsAFileCall) {
  auto counts = counts_of(writes_on([] { return ::open("/tmp", O_TMPFILE | O_RDWR, 0600); }));
  EXPECT_GE(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToADeviceIsAFileCall) {
  auto counts = counts_of(writes_on([] { return ::open("/dev/null", O_WRONLY); }));
  EXPECT_GE(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToAPipeIsNone) {
  auto counts = counts_of(writes_on([] {
    int ends[2];
    return ::pipe(ends) == 0 ? ends[1] : -1;
  }));
  EXPECT_LT(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
  EXPECT_GE(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_OTHER], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToASocketIsNetwork) {
  auto counts = counts_of(writes_on([] {
    int ends[2];
    return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? ends[1] : -1;
  }));
  EXPECT_GE(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_NETWORK], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToAnEventfdIsNone) {
  auto counts = counts_of(writes_on([] { return ::eventfd(0, EFD_NONBLOCK); }));
  EXPECT_LT(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToATerminalIsNone) {
  auto counts =
      counts_of(writes_on([] { return ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK); }));
  EXPECT_LT(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToAMemfdIsMemory) {
  auto counts = counts_of(writes_on([] { return ::memfd_create("x", 0); }));
  EXPECT_GE(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_MEMORY], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, AWriteToNoDescriptorAtAllIsNone) {
  auto counts = counts_of(writes_on([] { return 999; }));
  EXPECT_LT(counts.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE], unsigned{kCalls});
}

TEST_F(SystemCallBpfTest, MemoryCallsComeWithArgumentsAndResult) {
  constexpr std::size_t kBytes = 0x123000;
  counts_of([] {
    void *memory = ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::munmap(memory, kBytes);
    ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE, 999, 0); // EBADF
  });
  std::vector<std::pair<std::uint32_t, std::int64_t>> seen; // number, result
  std::uint64_t waiting = 0;
  std::uint64_t mapped_at = 0, unmapped_at = 1;
  for (const Event &event : events()) {
    if (const auto *call = std::get_if<system_call_event>(&event.body)) {
      if (call->arguments[1] != kBytes)
        continue;
      waiting = call->header.time_ns;
      if (call->number == SYS_munmap)
        unmapped_at = call->arguments[0];
    } else if (const auto *result = std::get_if<system_call_result_event>(&event.body)) {
      if (result->call_time_ns != waiting)
        continue;
      seen.emplace_back(result->number, result->result);
      if (seen.size() == 1)
        mapped_at = static_cast<std::uint64_t>(result->result);
    }
  }
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].first, unsigned{SYS_mmap});
  EXPECT_EQ(mapped_at, unmapped_at);
  EXPECT_EQ(seen[1], (std::pair<std::uint32_t, std::int64_t>{SYS_munmap, 0}));
  EXPECT_EQ(seen[2], (std::pair<std::uint32_t, std::int64_t>{SYS_mmap, -EBADF}));
}

// The path that the first call of that number was seen with. A constant that no code has
// touched is not in memory at the call's entry, and comes with its result.
std::string path_of(const std::vector<Event> &events, std::uint32_t number) {
  std::optional<std::uint64_t> missing_of;
  for (const Event &event : events) {
    if (const auto *detail = std::get_if<system_call_detail_event>(&event.body)) {
      if (missing_of || detail->call.number != number)
        continue;
      if (!detail->path_missing)
        return detail->path;
      missing_of = detail->call.header.time_ns;
    } else if (const auto *result = std::get_if<system_call_result_event>(&event.body)) {
      if (missing_of && result->call_time_ns == *missing_of)
        return result->has_path ? result->path : "(still missing)";
    }
  }
  return "(none)";
}

TEST_F(SystemCallBpfTest, ExamplesOfFileCallsShowTheirPaths) {
  counts_of(
      [] {
        int fd = ::open("/etc/hostname", O_RDONLY);
        char byte = 0;
        [[maybe_unused]] ssize_t size = ::read(fd, &byte, 1);
      },
      4);
  std::vector<Event> all = events();
  EXPECT_EQ(path_of(all, SYS_openat), "/etc/hostname");
  EXPECT_EQ(path_of(all, SYS_read), "/etc/hostname");
}

TEST_F(SystemCallBpfTest, PathsCrossMountsToTheRoot) {
  counts_of(
      [] {
        int fd = ::open("/proc/self/status", O_RDONLY);
        char byte = 0;
        [[maybe_unused]] ssize_t size = ::read(fd, &byte, 1);
      },
      4);
  std::string path = path_of(events(), SYS_read);
  EXPECT_TRUE(path.starts_with("/proc/")) << path;
  EXPECT_TRUE(path.ends_with("/status")) << path;
}

// A file below many directories, whose whole path is longer than what a system call takes.
class DeepFile {
public:
  DeepFile(int depth, const std::string &name) {
    int at = ::open(root_.c_str(), O_PATH | O_DIRECTORY);
    for (int i = 0; i < depth; ++i) {
      ::mkdirat(at, name.c_str(), 0700);
      const int below = ::openat(at, name.c_str(), O_PATH | O_DIRECTORY);
      ::close(std::exchange(at, below));
    }
    fd_ = ::openat(at, "file", O_RDONLY | O_CREAT, 0600);
    ::close(at);
  }
  ~DeepFile() {
    ::close(fd_);
    std::filesystem::remove_all(root_);
  }
  DeepFile(const DeepFile &) = delete;
  DeepFile &operator=(const DeepFile &) = delete;

  void read() const {
    char byte = 0;
    [[maybe_unused]] ssize_t size = ::read(fd_, &byte, 1);
  }

private:
  static std::string make_root() {
    std::string name = "/tmp/mapscope-deep-XXXXXX";
    return ::mkdtemp(name.data()) ? name : "";
  }

  std::string root_ = make_root();
  int fd_ = -1;
};

// The kernel side writes a path into 4,096 bytes, and follows 32 names.
TEST_F(SystemCallBpfTest, ALongPathIsToldFromTheRoot) {
  const DeepFile file{19, std::string(200, 'd')};
  counts_of([&] { file.read(); }, 4);
  EXPECT_TRUE(path_of(events(), SYS_read).starts_with("/tmp/mapscope-deep-"));
}

TEST_F(SystemCallBpfTest, ATooLongPathIsToldFromItsMiddle) {
  const std::string name(200, 'd');
  const DeepFile file{31, name};
  counts_of([&] { file.read(); }, 4);
  const std::string path = path_of(events(), SYS_read);
  EXPECT_TRUE(path.starts_with(".../" + name.substr(0, 100))) << path;
}

TEST_F(SystemCallBpfTest, ATooDeepPathIsToldFromItsMiddle) {
  const DeepFile file{40, "deep"};
  counts_of([&] { file.read(); }, 4);
  std::string path = "...";
  for (int i = 0; i < 31; ++i)
    path += "/deep";
  EXPECT_EQ(path_of(events(), SYS_read), path + "/file");
}

TEST_F(SystemCallBpfTest, NoMoreExamplesThanAskedFor) {
  counts_of(
      [] {
        for (int i = 0; i < kCalls; ++i)
          ::open("/nonexistent", O_RDONLY);
      },
      3);
  EXPECT_EQ(events_of<system_call_detail_event>().size(), 3u);
}

TEST_F(SystemCallBpfTest, WhatDoesNotFitIntoTheRingIsCounted) {
  constexpr unsigned kManyCalls = 50'000; // of 424 bytes each, with the result; the ring has 4 MiB
  auto counts = counts_of([] {
    for (unsigned i = 0; i < kManyCalls; ++i)
      ::syscall(SYS_munmap, 1, 0); // EINVAL: not a page's address
  });
  ASSERT_GE(counts.calls_outside[SYS_munmap], kManyCalls);

  auto stats = tracer_->event_totals()[EVENT_KIND_SYSTEM_CALL];
  std::uint64_t memory_calls = counts.class_calls[CALL_OUTSIDE][CALL_CLASS_MEMORY];
  EXPECT_GT(stats.lost_ring_full, 0u);
  EXPECT_EQ(stats.sent + stats.lost_ring_full, memory_calls);
  EXPECT_EQ(events_of<system_call_event>().size(), stats.sent);
}

TEST_F(SystemCallBpfTest, NothingOfATargetCountsBeforeTheExecItAwaits) {
  load({.emit_memory_calls = 1});
  HeldChild child{[] {
    for (int i = 0; i < kCalls; ++i)
      ::syscall(SYS_getppid);
  }};
  std::uint32_t index = watch(child.pid(), {.flags = TARGET_AWAITS_EXEC});
  ASSERT_TRUE(tracer_->watch_system_calls());
  child.run();
  EXPECT_EQ(tracer_->counts(index).calls_outside[SYS_getppid], 0u);
}

} // namespace
} // namespace mapscope::testing
