// What probes cost stays within a budget, whatever the process does.
#include "attach/governor.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr ProbeBudget kBudget{.share = 0.04, .hit_ns = 1'000, .placing_ns = 50'000};
constexpr FlashLimits kLimits{.shortest_ns = 1 * kMs, .longest_ns = 100 * kMs};

TEST(GovernorTest, WhatIsEarnedCanBeSpent) {
  Governor governor{kBudget};
  EXPECT_EQ(governor.credit_ns(0), 0);
  EXPECT_EQ(governor.credit_ns(1000 * kMs), 40 * static_cast<std::int64_t>(kMs));
  governor.charge(10'000, 1000 * kMs);
  EXPECT_EQ(governor.spent_ns(), 10 * kMs);
  // The cost of probes earns nothing.
  EXPECT_EQ(governor.credit_ns(1010 * kMs), 30 * static_cast<std::int64_t>(kMs));
}

TEST(GovernorTest, HitsCannotCostMoreThanTheProcessUsedMeanwhile) {
  Governor governor{kBudget};
  governor.charge(1'000'000, 3 * kMs);
  EXPECT_EQ(governor.spent_ns(), 3 * kMs);
  governor.charge(~0ULL, 2 * kMs);
  EXPECT_EQ(governor.spent_ns(), 5 * kMs);
}

TEST(GovernorTest, AnOverdrawnAccountIsNegativeUntilItIsPaidBack) {
  Governor governor{kBudget};
  governor.charge(10'000, 10 * kMs);
  EXPECT_LT(governor.credit_ns(10 * kMs), 0);
  EXPECT_LT(governor.credit_ns(259 * kMs), 0);
  EXPECT_GE(governor.credit_ns(261 * kMs), 0);
}

TEST(GovernorTest, AClockThatRunsBackEarnsNothing) {
  Governor governor{kBudget};
  governor.charge(10'000, 10 * kMs);
  EXPECT_EQ(governor.credit_ns(0), -10 * static_cast<std::int64_t>(kMs));
}

TEST(FlashPlanTest, TheFirstComesAtOnceAndIsTheShortest) {
  FlashPlan plan{kBudget, kLimits};
  auto flash = plan.next(0);
  ASSERT_TRUE(flash);
  EXPECT_EQ(flash->duration_ns, kLimits.shortest_ns);
}

TEST(FlashPlanTest, TheNextWaitsUntilItsCostIsEarned) {
  FlashPlan plan{kBudget, kLimits};
  // 5 ms of one core, all of it in hits.
  plan.add({.hits = 5'000, .watched_ns = 1 * kMs, .attached_ns = 5 * kMs, .cpu_ns = 5 * kMs});
  EXPECT_FALSE(plan.next(5 * kMs));
  EXPECT_FALSE(plan.next(200 * kMs)); // the first one is earned, but not a second one
  auto flash = plan.next(400 * kMs);
  ASSERT_TRUE(flash);
  EXPECT_GE(flash->duration_ns, kLimits.shortest_ns);
  EXPECT_LE(flash->duration_ns, 10 * kMs);
  EXPECT_LE(flash->hits_max * kBudget.hit_ns, 400 * kMs / 25);
}

TEST(FlashPlanTest, WhereLittleIsHitItLastsLonger) {
  FlashPlan plan{kBudget, kLimits};
  plan.add({.hits = 2, .watched_ns = 1 * kMs, .attached_ns = 30 * kMs, .cpu_ns = 30 * kMs});
  auto flash = plan.next(100 * kMs);
  ASSERT_TRUE(flash);
  EXPECT_EQ(flash->duration_ns, kLimits.longest_ns);
  EXPECT_LE(flash->hits_max, 4'000U); // should there be more suddenly
}

TEST(FlashPlanTest, AProcessThatDoesNothingIsLeftAlone) {
  FlashPlan plan{kBudget, kLimits};
  plan.add({.hits = 0, .watched_ns = 1 * kMs, .attached_ns = 30 * kMs, .cpu_ns = 0});
  EXPECT_FALSE(plan.next(0));
  EXPECT_FALSE(plan.next(1 * kMs)); // placing probes costs it something as well
  EXPECT_TRUE(plan.next(4 * kMs));
}

// A process of so many threads that write all the time, watched for 10 s: what it can't use for
// itself, in proportion to the rest.
struct Simulation {
  double threads = 1;
  double writes_per_second = 30e6;                           // of one thread, without probes
  std::uint64_t placing_ns = 8 * kMs, removing_ns = 3 * kMs; // while each thread can hit
  std::uint64_t late_ns = 0; // how much longer than planned a flash takes on a busy machine
};

double slowdown_of(const Simulation &process) {
  constexpr double kTrueHitNs = 950;
  FlashPlan plan{{}, {}};
  double cpu_ns = 0, lost_ns = 0;
  std::uint64_t now_ns = 0;
  while (now_ns < 10'000 * kMs) {
    std::uint64_t step_ns = 20 * kMs;
    if (auto flash = plan.next(static_cast<std::uint64_t>(cpu_ns))) {
      std::uint64_t attached_ns =
          process.placing_ns + flash->duration_ns + process.removing_ns + process.late_ns;
      double own_ns = 1e9 / process.writes_per_second;
      double hits = process.threads * static_cast<double>(attached_ns) / (own_ns + kTrueHitNs);
      double used_ns = process.threads * static_cast<double>(attached_ns);
      plan.add({.hits = static_cast<std::uint64_t>(hits),
                .watched_ns = flash->duration_ns + process.late_ns,
                .attached_ns = attached_ns,
                .cpu_ns = static_cast<std::uint64_t>(used_ns)});
      lost_ns += hits * kTrueHitNs;
      cpu_ns += used_ns;
      now_ns += attached_ns;
    }
    cpu_ns += process.threads * static_cast<double>(step_ns);
    now_ns += step_ns;
  }
  EXPECT_GT(plan.count(), 5U);
  return cpu_ns / (cpu_ns - lost_ns);
}

TEST(FlashPlanTest, AHotLoopRunsAtMostATwentiethSlower) {
  EXPECT_LE(slowdown_of({}), 1.05);
  EXPECT_LE(slowdown_of({.threads = 16}), 1.05);
  EXPECT_LE(slowdown_of({.writes_per_second = 1e6}), 1.05);
  EXPECT_LE(slowdown_of({.writes_per_second = 20e3}), 1.05);
  EXPECT_LE(slowdown_of({.late_ns = 10 * kMs}), 1.05);
  EXPECT_LE(slowdown_of({.threads = 0.1}), 1.05);
}

TEST(FlashPlanTest, TheBudgetIsUsedWhereThereIsSomethingToSee) {
  EXPECT_GE(slowdown_of({}), 1.01);
  EXPECT_GE(slowdown_of({.threads = 16}), 1.01);
}

} // namespace
} // namespace mapscope
