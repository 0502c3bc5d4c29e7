// When the daemon takes more than it may.
#include "pipeline/daemon/census_guard.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// So many seconds at such a share, one measurement each ten seconds.
void pass(CensusGuard &guard, std::uint64_t &now, std::uint64_t &cpu, std::uint64_t seconds,
          double share) {
  for (std::uint64_t i = 0; i < seconds; i += 10) {
    now += 10 * kSecond;
    cpu += static_cast<std::uint64_t>(share * 10 * static_cast<double>(kSecond));
    guard.take_cpu(now, cpu);
  }
}

TEST(CensusGuardTest, WhatIsWithinTheLimitsIsLeftAlone) {
  CensusGuard guard{{.memory_bytes = 100 << 20, .cpu_share = 0.05}};
  std::uint64_t now = kSecond, cpu = 0;
  pass(guard, now, cpu, 3600, 0.049);
  guard.take_memory(79 << 20);
  EXPECT_FALSE(guard.is_throttled());
  EXPECT_EQ(guard.stretch(), 1);
  EXPECT_EQ(guard.throttled_count(), 0U);
}

TEST(CensusGuardTest, MoreCpuThanTheLimitMakesItLookLessOftenUntilItHolds) {
  CensusGuard guard{{.cpu_share = 0.05}};
  std::uint64_t now = kSecond, cpu = 0;
  pass(guard, now, cpu, 40, 0.2);
  EXPECT_EQ(guard.stretch(), 2);
  pass(guard, now, cpu, 40, 0.1);
  EXPECT_GE(guard.stretch(), 4);
  EXPECT_EQ(guard.throttled_count(), 1U) << "it is one time, however long it lasts";
  pass(guard, now, cpu, 600, 0.001);
  EXPECT_EQ(guard.stretch(), 1);
  EXPECT_FALSE(guard.is_throttled());
}

TEST(CensusGuardTest, ABurstOfSecondsIsNoReason) {
  CensusGuard guard{{.cpu_share = 0.05}};
  std::uint64_t now = kSecond, cpu = 0;
  pass(guard, now, cpu, 60, 0.01);
  pass(guard, now, cpu, 10, 0.2); // 2 s of CPU; over a minute some 4 %
  EXPECT_EQ(guard.stretch(), 1);
}

TEST(CensusGuardTest, MemoryIsShortFromFourFifthsOnUntilSomeIsGivenBack) {
  CensusGuard guard{{.memory_bytes = 100 << 20}};
  guard.take_memory(81 << 20);
  EXPECT_TRUE(guard.is_short_of_memory());
  EXPECT_GT(guard.stretch(), 1);
  guard.take_memory(75 << 20);
  EXPECT_TRUE(guard.is_short_of_memory()) << "or it would swing";
  guard.take_memory(69 << 20);
  EXPECT_FALSE(guard.is_throttled());
  EXPECT_EQ(guard.throttled_count(), 1U);
}

TEST(CensusGuardTest, APassMayTakeWhatIsLeft) {
  CensusGuard guard{{.memory_bytes = 100 << 20}};
  guard.take_memory(30 << 20);
  EXPECT_EQ(guard.free_bytes(), 50U << 20);
}

} // namespace
} // namespace mapscope
