// Twin of process_feed: every exec of the host is told, or counted as lost.
#include "kernel/process_feed.h"

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

namespace mapscope {
namespace {

pid_t start_true() {
  char name[] = "true";
  char *arguments[] = {name, nullptr};
  pid_t pid = 0;
  EXPECT_EQ(::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, nullptr), 0);
  return pid;
}

void wait_for(pid_t pid) {
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

class ProcessFeedBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "loading BPF programs needs root";
    auto feed = ProcessFeed::start(ring_bytes_);
    if (!feed && feed.error().code() == Errc::unsupported)
      GTEST_SKIP() << feed.error().message();
    ASSERT_TRUE(feed) << feed.error().message();
    feed_.emplace(std::move(*feed));
  }

  std::vector<exec_record> execs_of(pid_t pid) {
    std::vector<exec_record> execs = feed_->take();
    std::erase_if(execs, [&](const exec_record &exec) {
      return exec.tgid != static_cast<std::uint32_t>(pid);
    });
    return execs;
  }

  std::uint32_t ring_bytes_ = PROCESS_FEED_BYTES;
  std::optional<ProcessFeed> feed_;
};

TEST_F(ProcessFeedBpfTest, TellsWhoExecutesAndWhen) {
  const std::uint64_t before = now_ns();
  const pid_t pid = start_true();
  wait_for(pid);
  const auto execs = execs_of(pid);
  ASSERT_EQ(execs.size(), 1u);
  EXPECT_GE(execs[0].time_ns, before);
  EXPECT_LE(execs[0].time_ns, now_ns());
  EXPECT_TRUE(execs_of(pid).empty()); // told once
}

TEST_F(ProcessFeedBpfTest, AThreadOtherThanTheFirstExecutesAsTheProcess) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::execl("/bin/true", "true", nullptr); }).join();
    ::_exit(1);
  }
  wait_for(pid);
  EXPECT_EQ(execs_of(pid).size(), 1u);
}

TEST_F(ProcessFeedBpfTest, ManyShortLivedProcessesAreAllTold) {
  constexpr std::size_t kCount = 500;
  std::vector<pid_t> pids;
  for (std::size_t i = 0; i < kCount; ++i) {
    pids.push_back(start_true());
    wait_for(pids.back());
  }
  std::ranges::sort(pids);
  const auto execs = feed_->take();
  EXPECT_EQ(std::ranges::count_if(execs,
                                  [&](const exec_record &exec) {
                                    return std::ranges::binary_search(
                                        pids, static_cast<pid_t>(exec.tgid));
                                  }),
            static_cast<std::ptrdiff_t>(kCount));
  EXPECT_EQ(feed_->counts().lost, 0u);
}

class SmallFeedBpfTest : public ProcessFeedBpfTest {
protected:
  SmallFeedBpfTest() { ring_bytes_ = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)); }
};

TEST_F(SmallFeedBpfTest, WhatFindsNoRoomIsCounted) {
  constexpr std::size_t kCount = 300; // a page has room for 170
  for (std::size_t i = 0; i < kCount; ++i)
    wait_for(start_true());
  const auto execs = feed_->take();
  const auto counts = feed_->counts();
  EXPECT_GT(counts.lost, 0u);
  EXPECT_GE(counts.sent, execs.size()); // the host goes on
  EXPECT_GE(counts.sent + counts.lost, kCount);
}

} // namespace
} // namespace mapscope
