// Whose turn it is, in simulated hours.
#include "pipeline/daemon/census_schedule.h"

#include <functional>
#include <map>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr std::uint64_t kMs = 1'000'000, kSecond = 1'000 * kMs, kMinute = 60 * kSecond,
                        kHour = 60 * kMinute;

ProcessKey process(std::uint32_t number) { return {.pid = number, .start_time_ns = 1}; }

// What the runner does, with a clock of its own: a look takes as long as it costs.
class Host {
public:
  struct Program {
    std::uint64_t cost_ns = kMs;
    CensusChange change = CensusChange::some;
    std::uint64_t first_cost_ns = 0; // 0: the same
    std::uint64_t looks = 0, last_ns = 0, longest_gap_ns = 0, first_ns = 0;
  };

  explicit Host(const CensusPace &pace = {}) : schedule{pace} {}

  void add(std::uint32_t number, Program program) {
    programs[number] = program;
    schedule.add(process(number), now_ns);
  }
  void run_until(std::uint64_t end_ns) {
    while (now_ns < end_ns) {
      const auto key = schedule.take(now_ns);
      if (!key) {
        const auto next = schedule.next_ns(now_ns);
        now_ns = std::min(end_ns, std::max(now_ns + 1, next.value_or(end_ns)));
        continue;
      }
      Program &program = programs.at(key->pid);
      const std::uint64_t cost_ns = program.looks == 0 && program.first_cost_ns != 0
                                        ? program.first_cost_ns
                                        : program.cost_ns;
      if (program.looks == 0)
        program.first_ns = now_ns;
      else
        program.longest_gap_ns = std::max(program.longest_gap_ns, now_ns - program.last_ns);
      program.last_ns = now_ns;
      ++program.looks;
      now_ns += cost_ns;
      cpu_ns += cost_ns;
      schedule.note(*key, now_ns, cost_ns, program.change);
    }
  }

  CensusSchedule schedule;
  std::map<std::uint32_t, Program> programs;
  std::uint64_t now_ns = kHour, cpu_ns = 0;
};

TEST(CensusScheduleTest, ANewProcessIsLookedAtAfterTwoSeconds) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 10 * kSecond);
  EXPECT_FALSE(schedule.take(11 * kSecond));
  EXPECT_EQ(schedule.next_ns(11 * kSecond), 12 * kSecond);
  EXPECT_EQ(schedule.take(12 * kSecond), process(1));
}

TEST(CensusScheduleTest, NothingIsDueOnAnEmptyHost) {
  CensusSchedule schedule{{}};
  EXPECT_FALSE(schedule.take(kHour));
  EXPECT_FALSE(schedule.next_ns(kHour)) << "no timer wakes a daemon that has nothing to look at";
  EXPECT_EQ(schedule.backlog_ns(kHour), 0U);
}

TEST(CensusScheduleTest, WhatChangesAsMostDoIsLookedAtEachMinute) {
  Host host;
  host.add(1, {.cost_ns = kMs});
  host.run_until(2 * kHour);
  EXPECT_NEAR(static_cast<double>(host.programs[1].looks), 60, 2);
}

TEST(CensusScheduleTest, GrowthHalvesTheIntervalDownToTheShortest) {
  Host host;
  host.add(1, {.cost_ns = kMs, .change = CensusChange::growth});
  host.run_until(kHour + 10 * kMinute);
  EXPECT_EQ(host.schedule.interval_ns(process(1)), 10 * kSecond);
  host.programs[1].change = CensusChange::some;
  host.run_until(kHour + 20 * kMinute);
  EXPECT_EQ(host.schedule.interval_ns(process(1)), kMinute) << "and it recovers";
}

TEST(CensusScheduleTest, WhatChangesNothingTwiceIsLookedAtLessOften) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  schedule.note(process(1), kSecond, kMs, CensusChange::none);
  EXPECT_EQ(schedule.interval_ns(process(1)), kMinute);
  schedule.note(process(1), kMinute, kMs, CensusChange::none);
  EXPECT_EQ(schedule.interval_ns(process(1)), 2 * kMinute);
  for (int i = 0; i < 10; ++i)
    schedule.note(process(1), kHour, kMs, CensusChange::none);
  EXPECT_EQ(schedule.interval_ns(process(1)), 10 * kMinute);
}

TEST(CensusScheduleTest, WhoWakesIsDueAsIfItHadNeverBeenIdle) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  for (int i = 0; i < 10; ++i)
    schedule.note(process(1), kHour, kMs, CensusChange::none);
  schedule.wake(process(1), kHour + 30 * kSecond);
  EXPECT_FALSE(schedule.take(kHour + 59 * kSecond));
  EXPECT_EQ(schedule.take(kHour + kMinute), process(1));
}

TEST(CensusScheduleTest, WhoHasNotRunIsAskedAgainWithoutBeingPutOff) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  schedule.note(process(1), kSecond, kMs, CensusChange::growth);
  schedule.note_unchanged(process(1), kMinute, kMs / 100);
  EXPECT_EQ(schedule.interval_ns(process(1)), kMinute);
}

TEST(CensusScheduleTest, TheShareHoldsOverHours) {
  Host host;
  for (std::uint32_t i = 0; i < 100; ++i) // together 3.3 % of a core, were it each minute
    host.add(i, {.cost_ns = 20 * kMs});
  host.run_until(5 * kHour);
  EXPECT_LE(static_cast<double>(host.cpu_ns), 0.0105 * 4 * kHour);
  EXPECT_GE(static_cast<double>(host.cpu_ns), 0.0095 * 4 * kHour) << "and what is earned is spent";
  for (const auto &[number, program] : host.programs)
    EXPECT_LE(program.longest_gap_ns, 5 * kMinute) << "none starves: " << number;
}

TEST(CensusScheduleTest, TheShareHoldsWhenAllGrow) {
  Host host;
  for (std::uint32_t i = 0; i < 50; ++i)
    host.add(i, {.cost_ns = 50 * kMs, .change = CensusChange::growth});
  host.run_until(3 * kHour);
  EXPECT_LE(static_cast<double>(host.cpu_ns), 0.0105 * 2 * kHour);
}

TEST(CensusScheduleTest, AHugeHeapDoesNotStarveTheOthers) {
  Host host;
  host.add(1000, {.cost_ns = 10 * kSecond});
  for (std::uint32_t i = 0; i < 50; ++i)
    host.add(i, {.cost_ns = 2 * kMs});
  host.run_until(9 * kHour);
  for (std::uint32_t i = 0; i < 50; ++i) {
    EXPECT_GE(host.programs[i].looks, 8 * 55U) << i;
    EXPECT_LE(host.programs[i].longest_gap_ns, 80 * kSecond) << i;
  }
  EXPECT_GE(host.programs[1000].looks, 10U) << "nor do they starve it";
  EXPECT_LE(static_cast<double>(host.cpu_ns), 0.0105 * 8 * kHour);
}

TEST(CensusScheduleTest, ABusyHostDoesNotStarveAHugeHeap) {
  Host host;
  host.add(1000, {.cost_ns = 10 * kSecond});
  for (std::uint32_t i = 0; i < 200; ++i) // twice what may be spent
    host.add(i, {.cost_ns = 6 * kMs});
  host.run_until(9 * kHour);
  EXPECT_GE(host.programs[1000].looks, 10U);
  EXPECT_LE(static_cast<double>(host.cpu_ns), 0.0105 * 8 * kHour + 10.0 * kSecond);
}

TEST(CensusScheduleTest, AThousandProcessesAreAllLookedAtSoonAfterAStart) {
  Host host;
  for (std::uint32_t i = 0; i < 1000; ++i)
    host.add(i, {.cost_ns = 2 * kMs, .change = CensusChange::none, .first_cost_ns = 6 * kMs});
  host.run_until(kHour + 3 * kMinute);
  for (const auto &[number, program] : host.programs)
    EXPECT_GE(program.looks, 1U) << number;
  EXPECT_LE(host.programs[999].first_ns, kHour + 2 * kMinute);
}

TEST(CensusScheduleTest, OfThoseThatAreDueTheOldestGoesFirst) {
  CensusSchedule schedule{{}};
  schedule.add(process(7), kSecond);
  schedule.add(process(3), 2 * kSecond);
  EXPECT_EQ(schedule.take(kMinute), process(7));
  EXPECT_EQ(schedule.backlog_ns(kMinute), 57 * kSecond);
  schedule.note(process(7), kMinute, kMs, CensusChange::some);
  EXPECT_EQ(schedule.take(kMinute), process(3));
}

TEST(CensusScheduleTest, AFailureRestsAsLongAsItWasTold) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  schedule.note_failure(process(1), kSecond, kMs, 10 * kMinute);
  EXPECT_FALSE(schedule.take(10 * kMinute));
  EXPECT_EQ(schedule.take(10 * kMinute + kSecond), process(1));
}

TEST(CensusScheduleTest, AFailureThatCostsMuchRestsLonger) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  schedule.note_failure(process(1), kSecond, kMinute, 10 * kMinute);
  EXPECT_GE(schedule.interval_ns(process(1)), 3 * kHour);
}

TEST(CensusScheduleTest, AGuardrailStretchesAllIntervals) {
  CensusSchedule schedule{{}};
  schedule.set_stretch(4);
  schedule.add(process(1), 0);
  schedule.note(process(1), kSecond, kMs, CensusChange::some);
  EXPECT_EQ(schedule.interval_ns(process(1)), 4 * kMinute);
}

TEST(CensusScheduleTest, WhoIsRemovedIsNeverTakenAgain) {
  CensusSchedule schedule{{}};
  schedule.add(process(1), 0);
  schedule.remove(process(1));
  schedule.note(process(1), kSecond, kMs, CensusChange::some);
  EXPECT_FALSE(schedule.take(kHour));
  EXPECT_FALSE(schedule.next_ns(kHour));
}

TEST(CensusScheduleTest, AShareOfOnePerMilleIsHeldToo) {
  Host host{{.cpu_share = 0.001}};
  for (std::uint32_t i = 0; i < 100; ++i)
    host.add(i, {.cost_ns = 5 * kMs});
  host.run_until(9 * kHour);
  EXPECT_LE(static_cast<double>(host.cpu_ns), 0.0011 * 8 * kHour);
}

} // namespace
} // namespace mapscope
