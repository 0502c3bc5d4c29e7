// Rates from moments: as large as they are, and as wrong as they say at most; and the time that
// windows may take.
#include "pipeline/daemon/event_rates.h"

#include <random>

#include <gtest/gtest.h>

#include "pipeline/daemon/event_verify.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

WatchedMoment moment_of(std::uint64_t cpu_ns, std::uint64_t overhead_ns = 0) {
  WatchedMoment moment{
      .watched_ns = cpu_ns, .cpu_ns = cpu_ns, .overhead_ns = overhead_ns, .operations = {}};
  moment.operations.set(MAP_OPERATION_REHASH);
  return moment;
}

CountedSite site_of(std::uint64_t caller, std::uint64_t hits, std::uint64_t slots = 16) {
  CountedSite site;
  site.key.callers[0] = caller;
  site.key.operation = MAP_OPERATION_REHASH;
  site.value = {hits, slots};
  return site;
}

TEST(EventRates, ARateIsThatOfTheProcessorTimeOverTheWholeTime) {
  // 20 a millisecond of CPU time; half a second of it in each second.
  std::vector<WatchedMoment> moments(10, moment_of(1'000'000));
  std::vector<std::uint64_t> hits(10, 20);
  Rate rate = estimate_rate(moments, hits, MAP_OPERATION_REHASH, 30 * kSecondNs, 60 * kSecondNs);
  EXPECT_NEAR(rate.per_second, 10'000, 1);
  EXPECT_NEAR(rate.relative_error, 2 / std::sqrt(200.0), 1e-9); // they do not differ
}

TEST(EventRates, WhatProbesTookIsNoTimeOfTheProcess) {
  std::vector<WatchedMoment> moments(10, moment_of(1'000'000, 500'000));
  std::vector<std::uint64_t> hits(10, 20);
  Rate rate = estimate_rate(moments, hits, MAP_OPERATION_REHASH, kSecondNs, kSecondNs);
  EXPECT_NEAR(rate.per_second, 40'000, 1);
  EXPECT_GT(rate.relative_error, 0.3); // how much they took is not known better
}

TEST(EventRates, OneMomentTellsLittle) {
  std::vector<WatchedMoment> moments{moment_of(1'000'000)};
  std::vector<std::uint64_t> hits{10'000};
  Rate rate = estimate_rate(moments, hits, MAP_OPERATION_REHASH, kSecondNs, kSecondNs);
  EXPECT_GE(rate.relative_error, 1);
}

TEST(EventRates, MomentsThatDidNotProbeAnOperationSayNothingOfIt) {
  std::vector<WatchedMoment> moments(4, moment_of(1'000'000));
  moments[0].operations.reset();
  moments[2].operations.reset();
  std::vector<std::uint64_t> hits{0, 20, 0, 20};
  Rate rate = estimate_rate(moments, hits, MAP_OPERATION_REHASH, kSecondNs, kSecondNs);
  EXPECT_NEAR(rate.per_second, 20'000, 1);
  EXPECT_EQ(estimate_rate(moments, hits, MAP_OPERATION_MAKE, kSecondNs, kSecondNs).per_second, 0);
}

TEST(EventRates, NothingSeenIsNoRateAndNoDivisionByZero) {
  std::vector<WatchedMoment> idle{moment_of(0), moment_of(0)};
  std::vector<std::uint64_t> none(2, 0);
  for (const auto &moments : {idle, std::vector<WatchedMoment>{}})
    EXPECT_EQ(estimate_rate(moments, none, MAP_OPERATION_REHASH, kSecondNs, kSecondNs).per_second,
              0);
  std::vector<WatchedMoment> moments(2, moment_of(1'000'000));
  EXPECT_EQ(estimate_rate(moments, none, MAP_OPERATION_REHASH, 0, 0).per_second, 0);
}

// Of growths at random, also in bursts, hardly any estimate is off by more than it says.
TEST(EventRates, TheTruthLiesWithinTheStatedError) {
  std::mt19937_64 random{7};
  for (double burst : {1.0, 20.0}) {
    int outside = 0;
    constexpr int kTrials = 400;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<WatchedMoment> moments(12, moment_of(10'000'000));
      std::vector<std::uint64_t> hits;
      std::poisson_distribution<std::uint64_t> bursts{60 / burst};
      for (std::size_t i = 0; i < moments.size(); ++i)
        hits.push_back(bursts(random) * static_cast<std::uint64_t>(burst));
      Rate rate = estimate_rate(moments, hits, MAP_OPERATION_REHASH, kSecondNs, kSecondNs);
      outside += std::abs(rate.per_second - 6'000) > rate.per_second * rate.relative_error;
    }
    EXPECT_LE(outside, kTrials / 10) << "bursts of " << burst;
  }
}

TEST(RateAccount, SitesHaveTheirHitsByMoment) {
  RateAccount account;
  account.add(moment_of(1), std::vector{site_of(1, 5), site_of(2, 3, 64)});
  account.add(moment_of(1), std::vector{site_of(2, 30, 32)});
  auto sites = account.sites();
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_EQ(sites[0].key.callers[0], 2u); // the busiest first
  EXPECT_EQ(sites[0].hits, (std::vector<std::uint64_t>{3, 30}));
  EXPECT_EQ(sites[0].slots_max, 64u);
  EXPECT_EQ(sites[1].hits, (std::vector<std::uint64_t>{5, 0}));
  EXPECT_EQ(account.hits(), 38u);
  EXPECT_EQ(account.watched_ns(), 2u);
  account.clear();
  EXPECT_TRUE(account.sites().empty() && account.moments().empty());
}

TEST(RateAccount, WhatDoesNotFitIsCounted) {
  RateAccount account{1};
  account.add(moment_of(1), std::vector{site_of(1, 5), site_of(2, 3)});
  account.add(moment_of(1), std::vector{site_of(2, 4), site_of(1, 1)});
  EXPECT_EQ(account.sites().size(), 1u);
  EXPECT_EQ(account.lost(), 7u);
  EXPECT_EQ(account.hits(), 6u);
}

TEST(TimeBudget, InNoHourMoreIsTakenThanTwiceTheShare) {
  constexpr std::uint64_t kHourNs = 3600 * kSecondNs;
  TimeBudget budget{0.05, kHourNs / 20, 0};
  std::vector<std::uint64_t> taken_at;
  for (std::uint64_t now = 0; now < 3 * kHourNs; now += kSecondNs)
    if (budget.take(10 * kSecondNs, now))
      taken_at.push_back(now);
  for (std::uint64_t start = 0; start < 2 * kHourNs; start += kHourNs / 60) {
    auto within = std::ranges::count_if(
        taken_at, [&](std::uint64_t at) { return at >= start && at < start + kHourNs; });
    EXPECT_LE(static_cast<std::uint64_t>(within) * 10 * kSecondNs, kHourNs / 10);
  }
  EXPECT_GT(taken_at.size(), 40u); // and it is used
}

TEST(TimeBudget, AClockThatStandsOrGoesBackEarnsNothing) {
  TimeBudget budget{0.5, 100, 1000};
  EXPECT_TRUE(budget.take(100, 1000));
  EXPECT_FALSE(budget.take(1, 1000));
  EXPECT_FALSE(budget.take(1, 10));
  EXPECT_TRUE(budget.take(1, 1002));
}

} // namespace
} // namespace mapscope
