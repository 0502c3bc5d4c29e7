// Reading this process, and children that are held at a pipe.
#include "memory/live_process.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <numeric>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process_files.h"

namespace mapscope {
namespace {

ProcessKey key_of(pid_t pid) {
  return {static_cast<std::uint32_t>(pid), read_process_stat(pid).value().start_time_ns};
}

ProcessAddress address_of(const void *pointer) {
  return {reinterpret_cast<std::uint64_t>(pointer)};
}

// A page, and behind it one that cannot be read.
class TwoPages {
public:
  TwoPages() : page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    void *pages = ::mmap(nullptr, 2 * page_bytes_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(pages, MAP_FAILED);
    first_ = static_cast<std::byte *>(pages);
    EXPECT_EQ(::mprotect(first_ + page_bytes_, page_bytes_, PROT_NONE), 0);
  }
  ~TwoPages() { ::munmap(first_, 2 * page_bytes_); }
  std::byte *end_of_first() const { return first_ + page_bytes_; }

private:
  std::size_t page_bytes_;
  std::byte *first_;
};

class Child {
public:
  Child() : pid_(::fork()) {
    if (pid_ == 0)
      for (;;)
        ::pause();
  }
  ~Child() {
    end();
    reap();
  }
  pid_t pid() const { return pid_; }
  void end() { ::kill(pid_, SIGKILL); }
  void reap() { (void)::waitpid(pid_, nullptr, 0); }

private:
  pid_t pid_;
};

TEST(LiveProcessTest, ReadsManyRangesInOneCall) {
  std::vector<std::uint32_t> numbers(5000); // several system calls
  std::iota(numbers.begin(), numbers.end(), 1U);
  std::vector<std::uint32_t> copies(numbers.size());
  std::vector<MemoryRead> reads;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    reads.push_back({address_of(&numbers[i]), std::as_writable_bytes(std::span{&copies[i], 1})});
  auto process = LiveProcess::open(key_of(::getpid()));
  ASSERT_TRUE(process) << process.error().message();
  const auto done = (*process)->read(reads);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(std::ranges::all_of(reads, &MemoryRead::is_read));
  EXPECT_EQ(copies, numbers);
}

TEST(LiveProcessTest, SaysOfEachRangeWhetherItCame) {
  TwoPages pages;
  std::memcpy(pages.end_of_first() - 4, "last", 4);
  std::array<std::byte, 4> a{}, b{}, c{}, d{};
  std::array<MemoryRead, 5> reads{{
      {{0}, a},
      {address_of(pages.end_of_first() - 4), b},
      {address_of(pages.end_of_first() - 2), c}, // half of it is not there
      {address_of(pages.end_of_first()), {}},    // nothing is wanted
      {address_of(pages.end_of_first() - 4), d},
  }};
  auto process = LiveProcess::open(key_of(::getpid()));
  ASSERT_TRUE(process);
  ASSERT_TRUE((*process)->read(reads));
  EXPECT_FALSE(reads[0].is_read);
  EXPECT_TRUE(reads[1].is_read);
  EXPECT_FALSE(reads[2].is_read);
  EXPECT_TRUE(reads[3].is_read);
  EXPECT_TRUE(reads[4].is_read);
  EXPECT_EQ(std::memcmp(b.data(), "last", 4), 0);
  EXPECT_EQ(std::memcmp(d.data(), "last", 4), 0);
}

TEST(LiveProcessTest, AnotherStartTimeIsAnotherProcess) {
  ProcessKey key = key_of(::getpid());
  key.start_time_ns += 1;
  const auto process = LiveProcess::open(key);
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code(), Errc::gone);
}

TEST(LiveProcessTest, AnEndedProcessIsGone) {
  static std::array<std::byte, 4> there{};
  std::array<std::byte, 4> copy{};
  Child child;
  const ProcessKey key = key_of(child.pid());
  auto process = LiveProcess::open(key);
  ASSERT_TRUE(process) << process.error().message();
  MemoryRead wanted{address_of(there.data()), copy};
  EXPECT_TRUE((*process)->read({&wanted, 1}));
  EXPECT_TRUE(wanted.is_read);
  child.end();
  child.reap();
  const auto after = (*process)->read({&wanted, 1});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code(), Errc::gone);
  EXPECT_FALSE(wanted.is_read);
  EXPECT_EQ((*process)->read({}).error().code(), Errc::gone); // also where nothing is to be read
  EXPECT_EQ((*process)->mappings().error().code(), Errc::gone);
  EXPECT_EQ(LiveProcess::open(key).error().code(), Errc::gone);
}

TEST(LiveProcessTest, KnowsWhereThisFunctionIsMapped) {
  auto process = LiveProcess::open(key_of(::getpid()));
  ASSERT_TRUE(process);
  const auto mappings = (*process)->mappings();
  ASSERT_TRUE(mappings) << mappings.error().message();
  const auto here = address_of(reinterpret_cast<const void *>(&key_of));
  const auto found = std::ranges::find_if(*mappings, [&](const Mapping &mapping) {
    return here.value - mapping.start.value < mapping.size_bytes;
  });
  ASSERT_NE(found, mappings->end());
  EXPECT_TRUE(found->is_executable);
  EXPECT_TRUE(found->name.ends_with("memory_test")) << found->name;
}

} // namespace
} // namespace mapscope
