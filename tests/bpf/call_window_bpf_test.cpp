// Calls of bpf(2) in a window, against the numbers of the process that made them.
#include "kernel/bpf_maps/call_window.h"

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handle.h"
#include "support/called_map.h"

namespace mapscope {
namespace {

using testing::CalledMap, testing::expect_outcome, testing::look_up, testing::make_hash,
    testing::make_map, testing::remove, testing::run_child, testing::update;

class CallWindowBpfTest : public testing::CallWindowTest {};

using Failures = std::map<int, std::uint64_t>;

TEST_F(CallWindowBpfTest, CountsByMapAndKindAndError) {
  const CalledMap full = make_hash(100), other = make_hash(1000), idle = make_hash(10);
  const CallWindowAnswer answer = watch([&] {
    for (std::uint32_t key = 0; key < 100; ++key)
      EXPECT_OK(update(full, key));
    for (std::uint32_t key = 100; key < 105; ++key)
      EXPECT_ERROR(E2BIG, update(full, key));
    for (std::uint32_t key = 0; key < 3; ++key)
      EXPECT_ERROR(EEXIST, update(full, key, BPF_NOEXIST));
    EXPECT_ERROR(ENOENT, update(full, 500, BPF_EXIST));
    for (std::uint32_t key = 0; key < 130; ++key)
      EXPECT_ERROR(key < 100 ? 0 : ENOENT, look_up(full, key));
    for (std::uint32_t key = 60; key < 102; ++key)
      EXPECT_ERROR(key < 100 ? 0 : ENOENT, remove(full, key));
    for (std::uint32_t key = 0; key < 7; ++key)
      EXPECT_OK(update(other, key));
    EXPECT_OK(look_up(other, 3));
  });
  ASSERT_TRUE(answer.calls.contains(full.id));
  const MapCalls &calls = answer.calls.at(full.id);
  EXPECT_EQ(calls.updates, 109u);
  EXPECT_EQ(calls.lookups, 130u);
  EXPECT_EQ(calls.deletes, 42u);
  EXPECT_EQ(calls.system_failures, (Failures{{ENOENT, 1}, {EEXIST, 3}, {E2BIG, 5}}));
  EXPECT_EQ(calls.program_updates, 0u); // what bpf(2) does is nobody else's
  EXPECT_TRUE(calls.program_failures.empty());
  ASSERT_TRUE(answer.calls.contains(other.id));
  EXPECT_EQ(answer.calls.at(other.id).updates, 7u);
  EXPECT_EQ(answer.calls.at(other.id).lookups, 1u);
  EXPECT_TRUE(answer.calls.at(other.id).system_failures.empty());
  EXPECT_FALSE(answer.calls.contains(idle.id));
  EXPECT_GT(answer.window_ns, 0u);
}

TEST_F(CallWindowBpfTest, LookingUpAndDeletingIsBoth) {
  const CalledMap queue = make_map(BPF_MAP_TYPE_QUEUE, 0, 10);
  const CallWindowAnswer answer = watch([&] {
    std::uint64_t value = 1;
    for (int i = 0; i < 4; ++i)
      EXPECT_OK(bpf_map_update_elem(queue.fd.get(), nullptr, &value, 0));
    for (int i = 0; i < 6; ++i)
      EXPECT_ERROR(i < 4 ? 0 : ENOENT,
                   bpf_map_lookup_and_delete_elem(queue.fd.get(), nullptr, &value));
  });
  ASSERT_TRUE(answer.calls.contains(queue.id));
  EXPECT_EQ(answer.calls.at(queue.id).updates, 4u);
  EXPECT_EQ(answer.calls.at(queue.id).lookups, 6u);
  EXPECT_EQ(answer.calls.at(queue.id).deletes, 4u);
}

struct BatchMemory {
  explicit BatchMemory(std::uint32_t count) : keys(count), values(count) {
    for (std::uint32_t i = 0; i < count; ++i)
      keys[i] = i;
  }
  std::vector<std::uint32_t> keys;
  std::vector<std::uint64_t> values;
};

TEST_F(CallWindowBpfTest, ABatchCountsItsEntries) {
  const CalledMap map = make_hash(50), array = make_map(BPF_MAP_TYPE_ARRAY, 4, 8);
  const CallWindowAnswer answer = watch([&] {
    BatchMemory batch{64};
    std::uint32_t count = 40, place = 0;
    const int fd = map.fd.get();
    EXPECT_OK(bpf_map_update_batch(fd, batch.keys.data(), batch.values.data(), &count, nullptr));
    count = 64; // 50 of them fit
    EXPECT_ERROR(E2BIG,
                 bpf_map_update_batch(fd, batch.keys.data(), batch.values.data(), &count, nullptr));
    expect_outcome(count == 50 ? 0 : 1, 0, __LINE__);
    count = 10;
    EXPECT_OK(bpf_map_delete_batch(fd, batch.keys.data(), &count, nullptr));
    count = 64;
    EXPECT_ERROR(ENOENT, bpf_map_lookup_batch(fd, nullptr, &place, batch.keys.data(),
                                              batch.values.data(), &count, nullptr));
    count = 64;
    EXPECT_ERROR(ENOENT, bpf_map_lookup_and_delete_batch(fd, nullptr, &place, batch.keys.data(),
                                                         batch.values.data(), &count, nullptr));
    count = 64; // nothing is left
    EXPECT_ERROR(ENOENT, bpf_map_lookup_batch(fd, nullptr, &place, batch.keys.data(),
                                              batch.values.data(), &count, nullptr));
    count = 8; // refused at once: the kernel leaves the 8 where it is
    EXPECT_ERROR(524, bpf_map_delete_batch(array.fd.get(), batch.keys.data(), &count, nullptr));
  });
  ASSERT_TRUE(answer.calls.contains(map.id));
  const MapCalls &calls = answer.calls.at(map.id);
  EXPECT_EQ(calls.updates, 40u + 51u);
  EXPECT_EQ(calls.system_failures, (Failures{{E2BIG, 1}}));
  EXPECT_EQ(calls.lookups, 40u + 40u);
  EXPECT_EQ(calls.deletes, 10u + 40u);
  ASSERT_TRUE(answer.calls.contains(array.id));
  EXPECT_EQ(answer.calls.at(array.id).deletes, 1u);
}

TEST_F(CallWindowBpfTest, ABatchThatDoesNotTellHowFarItCameIsLost) {
  const CalledMap map = make_hash(50);
  const CallWindowAnswer answer = watch([&] {
    BatchMemory batch{40};
    std::uint32_t count = 40;
    LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = 1ULL << 40);
    EXPECT_ERROR(EINVAL, bpf_map_update_batch(map.fd.get(), batch.keys.data(), batch.values.data(),
                                              &count, &options));
  });
  ASSERT_TRUE(answer.calls.contains(map.id));
  EXPECT_EQ(answer.calls.at(map.id).updates, 1u);
  EXPECT_EQ(answer.calls.at(map.id).system_failures, (Failures{{EINVAL, 1}}));
  EXPECT_GE(answer.lost, 1u);
  EXPECT_TRUE(answer.lost_by_name.contains("failed batches"));
}

TEST_F(CallWindowBpfTest, ThreadsLoseNothing) {
  constexpr std::uint32_t kThreads = 4, kEach = 5000;
  const CalledMap map = make_hash(100);
  const CallWindowAnswer answer = watch([&] {
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        for (std::uint32_t n = 0; n < kEach; ++n) {
          EXPECT_OK(update(map, i));
          EXPECT_OK(look_up(map, i));
        }
      });
    for (std::thread &thread : threads)
      thread.join();
  });
  ASSERT_TRUE(answer.calls.contains(map.id));
  EXPECT_EQ(answer.calls.at(map.id).updates, kThreads * kEach);
  EXPECT_EQ(answer.calls.at(map.id).lookups, kThreads * kEach);
}

TEST_F(CallWindowBpfTest, OnlyWhatEndsInTheWindowCounts) {
  const CalledMap map = make_hash(10);
  run_child([&] { EXPECT_OK(update(map, 1)); });
  const CallWindowAnswer first = watch([&] { EXPECT_OK(update(map, 2)); });
  run_child([&] { EXPECT_OK(update(map, 3)); });
  const CallWindowAnswer second = watch([&] { EXPECT_OK(look_up(map, 3)); });
  ASSERT_TRUE(first.calls.contains(map.id));
  EXPECT_EQ(first.calls.at(map.id).updates, 1u);
  ASSERT_TRUE(second.calls.contains(map.id)); // and nothing is left of the first
  EXPECT_EQ(second.calls.at(map.id).updates, 0u);
  EXPECT_EQ(second.calls.at(map.id).lookups, 1u);
}

TEST_F(CallWindowBpfTest, OurOwnCallsDoNotCount) {
  const CalledMap map = make_hash(10);
  ASSERT_TRUE(window_->open());
  EXPECT_EQ(update(map, 1), 0);
  std::thread([&] { EXPECT_EQ(look_up(map, 1), 0); }).join();
  const auto answer = window_->close();
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->calls.contains(map.id));
}

TEST_F(CallWindowBpfTest, CallsOnWhatIsNoMapCountNowhere) {
  const CalledMap map = make_hash(10);
  const Fd null{::open("/dev/null", 0)};
  const CallWindowAnswer answer = watch([&] {
    std::uint32_t key = 0;
    std::uint64_t value = 0;
    EXPECT_ERROR(EINVAL, bpf_map_lookup_elem(null.get(), &key, &value));
    EXPECT_ERROR(EBADF, bpf_map_lookup_elem(9999, &key, &value));
    EXPECT_ERROR(EBADF, bpf_map_lookup_elem(-1, &key, &value));
    EXPECT_OK(update(map, 1));
  });
  EXPECT_FALSE(answer.lost_by_name.contains("no map behind the descriptor"));
  EXPECT_TRUE(answer.calls.contains(map.id));
  EXPECT_FALSE(answer.calls.contains(0));
}

TEST_F(CallWindowBpfTest, MisuseIsSaid) {
  EXPECT_EQ(window_->close().error().code(), Errc::usage);
  EXPECT_EQ(window_->open(std::vector<std::uint32_t>(17, 1)).error().code(), Errc::usage);
  ASSERT_TRUE(window_->open());
  EXPECT_EQ(window_->open().error().code(), Errc::usage);
  EXPECT_TRUE(window_->close());
  EXPECT_TRUE(window_->open()); // again
  EXPECT_TRUE(window_->close());
}

// The kernel's numbers of the links that a process holds.
std::vector<std::uint32_t> links_of(pid_t pid) {
  std::vector<std::uint32_t> ids;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fdinfo";
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    for (std::string word; file >> word;)
      if (std::uint32_t id = 0; word == "link_id:" && file >> id)
        ids.push_back(id);
  }
  return ids;
}

// The kernel may take a link off a little after its last descriptor is closed.
bool goes_away(std::uint32_t link) {
  for (int tries = 0; tries < 3000; ++tries) {
    if (const Fd fd{bpf_link_get_fd_by_id(link)}; !fd && errno == ENOENT)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

TEST_F(CallWindowBpfTest, NothingStaysAttached) {
  ASSERT_TRUE(links_of(::getpid()).empty());
  ASSERT_TRUE(window_->open());
  const auto closed = links_of(::getpid());
  EXPECT_FALSE(closed.empty());
  ASSERT_TRUE(window_->close());
  EXPECT_TRUE(links_of(::getpid()).empty());
  ASSERT_TRUE(window_->open());
  const auto destroyed = links_of(::getpid());
  EXPECT_FALSE(destroyed.empty());
  window_.reset();
  for (std::uint32_t link : closed)
    EXPECT_TRUE(goes_away(link));
  for (std::uint32_t link : destroyed)
    EXPECT_TRUE(goes_away(link));
}

TEST_F(CallWindowBpfTest, AProcessThatDiesLeavesNothing) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    (void)window_->open();
    (void)!::write(ends[1], "o", 1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  const auto links = links_of(pid);
  EXPECT_FALSE(links.empty());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  for (std::uint32_t link : links)
    EXPECT_TRUE(goes_away(link));
  ::close(ends[0]);
  ::close(ends[1]);
}

#if defined(__x86_64__)
TEST_F(CallWindowBpfTest, CallsOf32BitProgramsAreLost) {
  constexpr std::uint64_t kCalls = 5;
  bool has_them = false;
  ASSERT_TRUE(window_->open());
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      long result = 357; // bpf(2) of 32-bit programs, with no attributes at all
      asm volatile("int $0x80"
                   : "+a"(result)
                   : "b"(1), "c"(0), "d"(0)
                   : "memory", "r8", "r9", "r10", "r11");
      if (result == -ENOSYS)
        ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  has_them = status == 0;
  const auto answer = window_->close();
  ASSERT_TRUE(answer);
  if (!has_them)
    GTEST_SKIP() << "this kernel takes no calls of 32-bit programs";
  ASSERT_TRUE(answer->lost_by_name.contains("calls of 32-bit programs"));
  EXPECT_GE(answer->lost_by_name.at("calls of 32-bit programs"), kCalls);
  EXPECT_GE(answer->lost, kCalls);
}
#endif

} // namespace
} // namespace mapscope
