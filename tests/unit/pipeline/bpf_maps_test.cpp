// Pure parts of looking at the kernel's maps: which are shown, how rates are put together, what is
// kept of earlier looks.
#include <gtest/gtest.h>

#include "flow/bpf_rates.h"
#include "pipeline/bpf_maps/bpf_map_history.h"
#include "pipeline/bpf_maps/bpf_map_rates.h"
#include "pipeline/bpf_maps/bpf_map_selection.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

BpfMapSample sample(std::uint32_t id, std::string name, std::string type, std::uint64_t entries) {
  BpfMapSample map;
  map.facts.id = id;
  map.facts.name = std::move(name);
  map.facts.type = std::move(type);
  map.facts.max_entries = 100;
  map.facts.memory_bytes = 10 * entries;
  map.fill = {
      .entries = entries, .method = BpfMethod::counted, .fill = static_cast<double>(entries) / 100};
  return map;
}

BpfMapsLook a_look() {
  BpfMapsLook look{.time_ns = 5 * kSecond};
  look.maps = {sample(1, "b", "hash", 10), sample(2, "a", "array", 90), sample(3, "c", "hash", 50)};
  look.maps[1].fill = {}; // an array has none
  look.maps[2].facts.is_own = true;
  look.maps[2].facts.memory_bytes.reset();
  return look;
}

std::vector<std::uint32_t> ids(const BpfMapsReport &report) {
  std::vector<std::uint32_t> result;
  for (const BpfMapRow &row : report.rows)
    result.push_back(row.map.facts.id);
  return result;
}

using Ids = std::vector<std::uint32_t>;

TEST(BpfMapSelectionTest, WhatIsNotKnownComesLast) {
  EXPECT_EQ(ids(report_of(a_look(), {.order = BpfMapOrder::fill}, 0)), (Ids{3, 1, 2}));
  EXPECT_EQ(ids(report_of(a_look(), {.order = BpfMapOrder::memory}, 0)), (Ids{2, 1, 3}));
  EXPECT_EQ(ids(report_of(a_look(), {.order = BpfMapOrder::name}, 0)), (Ids{2, 1, 3}));
  EXPECT_EQ(ids(report_of(a_look(), {.order = BpfMapOrder::id}, 0)), (Ids{1, 2, 3}));
}

TEST(BpfMapSelectionTest, TheBusiestComesFirst) {
  BpfMapsLook look = a_look();
  look.maps[1].rates = BpfMapRates{.window_ns = 1, .program_lookups = {.estimate = 7, .lower = 1}};
  look.maps[1].rates->system_lookups.exact = 1;
  look.maps[0].rates = BpfMapRates{.window_ns = 1};
  EXPECT_EQ(ids(report_of(look, {.order = BpfMapOrder::lookups}, 0)), (Ids{2, 1, 3}));
}

TEST(BpfMapSelectionTest, ChoosesAndStillCountsAll) {
  const BpfMapsReport hashes = report_of(a_look(), {.types = {"hash"}}, 0);
  EXPECT_EQ(ids(hashes), (Ids{3, 1}));
  EXPECT_EQ(hashes.selected, 2u);
  EXPECT_EQ(hashes.totals.maps, 3u);
  EXPECT_EQ(hashes.totals.memory_bytes, 1'000u);
  EXPECT_EQ(hashes.totals.memory_unknown, 1u);
  EXPECT_EQ(hashes.totals.own_maps, 1u);
  EXPECT_EQ(hashes.totals.counted, 2u);
  EXPECT_EQ(hashes.totals.unknown, 1u);
  EXPECT_EQ(ids(report_of(a_look(), {.name = "[ab]"}, 0)), (Ids{1, 2}));
  EXPECT_EQ(ids(report_of(a_look(), {.only_own = true}, 0)), (Ids{3}));
  const BpfMapsReport top = report_of(a_look(), {.top = 1}, 0);
  EXPECT_EQ(top.rows.size(), 1u);
  EXPECT_EQ(top.selected, 3u);
}

CallWindowAnswer window_of_two_seconds() {
  CallWindowAnswer answer{.window_ns = 2 * kSecond};
  answer.calls[1].lookups = 10;
  answer.calls[1].updates = 4;
  answer.calls[1].system_failures[7] = 3; // E2BIG
  return answer;
}

TEST(BpfMapRatesTest, CallsAreDividedByTheWindow) {
  const BpfMapRates rates = rates_of({.id = 1}, window_of_two_seconds(), std::nullopt);
  EXPECT_EQ(rates.window_ns, 2 * kSecond);
  EXPECT_EQ(rates.system_lookups.exact, 5);
  EXPECT_EQ(rates.system_updates.exact, 2);
  EXPECT_EQ(rates.system_deletes.exact, 0);
  EXPECT_EQ(rates.insert_failures.at("E2BIG"), 3u);
  EXPECT_FALSE(rates.sees_program_failures);
  EXPECT_FALSE(rates.program_lookups.exact || rates.program_lookups.estimate);
  EXPECT_NE(rates.program_lookups.note, "");
}

TEST(BpfMapRatesTest, AMapWithoutCallsHadNone) {
  EXPECT_EQ(rates_of({.id = 9}, window_of_two_seconds(), std::nullopt).system_lookups.exact, 0);
}

TEST(BpfMapRatesTest, NobodyLookedIsNotNone) {
  const BpfMapRates rates = rates_of({.id = 1}, std::nullopt, std::nullopt);
  EXPECT_EQ(rates.window_ns, 0u);
  EXPECT_FALSE(rates.system_lookups.exact);
  EXPECT_FALSE(lookups_of(rates).likely);
}

TEST(BpfMapRatesTest, WhatWasSeenIsBetterThanAnEstimate) {
  CallWindowAnswer calls = window_of_two_seconds();
  calls.sees_programs = true;
  calls.program_types = {9};
  calls.calls[1].program_updates = 6;
  calls.calls[1].program_failures[7] = 1;
  ProgramCallsAnswer programs{.window_ns = 2 * kSecond};
  programs.rates[1].lookups = {.estimate = 100, .lower = 50, .upper = 200};
  programs.rates[1].updates = {.estimate = 100, .lower = 50, .upper = 200};
  const BpfMapRates other = rates_of({.id = 1, .type_number = 1}, calls, programs);
  EXPECT_FALSE(other.program_updates.exact);
  EXPECT_FALSE(other.sees_program_failures);
  const BpfMapRates rates = rates_of({.id = 1, .type_number = 9}, calls, programs);
  EXPECT_TRUE(rates.sees_program_failures);
  EXPECT_EQ(rates.program_updates.exact, 3);
  EXPECT_EQ(rates.program_lookups.estimate, 100);
  EXPECT_EQ(rates.insert_failures.at("E2BIG"), 4u);
  const BpfRateSum lookups = lookups_of(rates);
  EXPECT_EQ(lookups.lower, 55);
  EXPECT_EQ(lookups.likely, 105);
  EXPECT_EQ(lookups.upper, 205);
  EXPECT_FALSE(lookups.is_exact);
}

TEST(BpfMapRatesTest, AMapThatAnotherMayHoldIsNotKnown) {
  const BpfMapRates rates =
      rates_of({.id = 5}, window_of_two_seconds(), ProgramCallsAnswer{.window_ns = kSecond});
  EXPECT_FALSE(rates.program_lookups.estimate);
  EXPECT_FALSE(lookups_of(rates).upper);
  EXPECT_NE(rates.program_lookups.note, "");
}

TEST(BpfMapRatesTest, LookupsThatWereSeenAreTheLeast) {
  CallWindowAnswer calls = window_of_two_seconds();
  calls.calls[1].program_lookups = 400;
  EXPECT_EQ(rates_of({.id = 1}, calls, std::nullopt).program_lookups.lower, 200);
  ProgramCallsAnswer programs{.window_ns = 2 * kSecond};
  programs.rates[1].lookups = {.estimate = 100, .lower = 50, .upper = 300};
  const BpfRate rate = rates_of({.id = 1}, calls, programs).program_lookups;
  EXPECT_EQ(rate.lower, 200);
  EXPECT_EQ(rate.estimate, 200);
  EXPECT_EQ(rate.upper, 300);
}

TEST(BpfMapRatesTest, WhatNoProgramCanReachNoneCalls) {
  const ProgramCallsAnswer programs{.window_ns = kSecond};
  const auto calls = window_of_two_seconds();
  const std::set<std::uint32_t> inner{6};
  const BpfMapRates rates = rates_of({.id = 5}, calls, programs, inner);
  EXPECT_EQ(rates.program_lookups.upper, 0);
  EXPECT_EQ(lookups_of(rates).upper, 0);
  EXPECT_FALSE(rates_of({.id = 6}, calls, programs, inner).program_lookups.estimate);
  const BpfMapFacts used{.id = 7, .programs = {{.id = 1}}};
  EXPECT_FALSE(rates_of(used, calls, programs, inner).program_lookups.estimate);
}

TEST(BpfMapHistoryTest, TellsWhenAMapIsFull) {
  BpfMapHistory history;
  std::optional<BpfTimeToFull> time;
  for (std::uint64_t i = 0; i < 6; ++i)
    time = history.add(i * 10 * kSecond, sample(1, "a", "hash", 10 + 10 * i));
  ASSERT_TRUE(time && time->seconds);
  EXPECT_DOUBLE_EQ(*time->seconds, 40);
}

TEST(BpfMapHistoryTest, AnIdThatIsGivenAnewBeginsAnew) {
  BpfMapHistory history;
  for (std::uint64_t i = 0; i < 6; ++i)
    history.add(i * 10 * kSecond, sample(1, "a", "hash", 10 * i));
  BpfMapSample other = sample(1, "a", "hash", 60);
  other.facts.type_number = 9;
  EXPECT_FALSE(history.add(60 * kSecond, other)->seconds);
}

TEST(BpfMapHistoryTest, WhatIsNotExactOrHasNoFillIsLeftOut) {
  BpfMapHistory history;
  BpfMapSample map = sample(1, "a", "hash", 10);
  map.fill.method = BpfMethod::sampled;
  EXPECT_FALSE(history.add(1, map));
  map.fill.method = BpfMethod::counted;
  map.fill.fill.reset();
  EXPECT_FALSE(history.add(1, map));
}

TEST(BpfMapHistoryTest, IsBounded) {
  BpfMapHistory history;
  BpfMapsLook look;
  for (std::uint32_t id = 0; id < BpfMapHistory::kMapsMax + 5; ++id)
    history.add(1, sample(id, "a", "hash", 1));
  look.maps.push_back(sample(3, "a", "hash", 1));
  history.forget_others(look);
  EXPECT_EQ(history.left_out(), 5u);
  history.add(2, look.maps[0]);
  history.forget_others(look);
  EXPECT_EQ(history.left_out(), 0u);
}

} // namespace
} // namespace mapscope
