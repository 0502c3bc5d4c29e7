// Entries against the truth: one map of every type, at each level, by every way to count.
#include "kernel/bpf_maps/map_counter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "kernel/bpf_maps/map_count_records.h"
#include "support/every_bpf_map.h"
#include "support/made_map_facts.h"

namespace mapscope {
namespace {

using testing::BpfMapLevel;
using testing::EveryBpfMap;
using testing::facts_of;
using testing::MadeBpfMap;

std::vector<BpfMapFacts> facts_of(const EveryBpfMap &every) {
  std::vector<BpfMapFacts> facts;
  for (const MadeBpfMap &map : every.maps())
    facts.push_back(facts_of(map));
  return facts;
}

class MapCounterBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "making BPF maps and asking for their entries needs root";
  }

  static BpfMapFill count_one(MapCounter &counter, const MadeBpfMap &map,
                              const MapCounterOptions &options = {}) {
    const BpfMapFacts facts = facts_of(map);
    return counter.count({&facts, 1}, options).fills.at(0);
  }

  // What the loaded test machine may take for keys, however slow: only the tests on budgets bound
  // it.
  static constexpr std::chrono::seconds kAmpleBudget{60};
};

class EveryTypeBpfTest : public MapCounterBpfTest,
                         public ::testing::WithParamInterface<BpfMapLevel> {};

void expect_truth(const MadeBpfMap &map, const BpfMapFill &fill) {
  SCOPED_TRACE(map.type + ": " + fill.note);
  EXPECT_FALSE(fill.note.empty()); // how, or why not
  if (fill.method == BpfMethod::unknown) {
    EXPECT_FALSE(fill.entries || fill.used_bytes || fill.fill);
    return;
  }
  EXPECT_EQ(fill.used_bytes, map.used_bytes);
  if (map.entries) {
    EXPECT_EQ(fill.entries, map.entries);
  }
  EXPECT_EQ(fill.error, 0u);
  const auto amount = fill.entries.value_or(fill.used_bytes.value_or(0));
  if (fill.fill) {
    EXPECT_DOUBLE_EQ(*fill.fill, static_cast<double>(amount) / map.max_entries);
  }
}

TEST_P(EveryTypeBpfTest, IsCountedAsItIsOrUnknown) {
  const EveryBpfMap every = EveryBpfMap::make(GetParam());
  const std::vector<BpfMapFacts> facts = facts_of(every);
  ASSERT_GT(facts.size(), 20u);
  MapCounter counter = MapCounter::start();
  const MapCounts counts = counter.count(facts, {.budget = kAmpleBudget});
  ASSERT_EQ(counts.fills.size(), facts.size());
  for (std::size_t i = 0; i < facts.size(); ++i)
    expect_truth(every.maps()[i], counts.fills[i]);
  EXPECT_EQ(counts.not_counted, 0u);
}

TEST_P(EveryTypeBpfTest, IsWalkedAsItIsWithoutTheProgramsOfTheKernel) {
  const EveryBpfMap every = EveryBpfMap::make(GetParam());
  const std::vector<BpfMapFacts> facts = facts_of(every);
  MapCounter counter = MapCounter::start();
  const MapCounts counts = counter.count(facts, {.budget = kAmpleBudget, .use_programs = false});
  for (std::size_t i = 0; i < facts.size(); ++i) {
    expect_truth(every.maps()[i], counts.fills[i]);
    const std::string &type = facts[i].type;
    const bool is_walked = type.ends_with("hash") || type == "lpm_trie" || type == "stack_trace" ||
                           type == "hash_of_maps" || type == "array_of_maps" || type == "devmap" ||
                           type == "cpumap" || type == "prog_array";
    if (is_walked) {
      EXPECT_EQ(counts.fills[i].method, BpfMethod::walked) << type << ": " << counts.fills[i].note;
    }
  }
}

TEST_P(EveryTypeBpfTest, TellsArraysByTheirValuesWhereAsked) {
  const EveryBpfMap every = EveryBpfMap::make(GetParam(), {"array", "percpu_array"});
  MapCounter counter = MapCounter::start();
  for (const MadeBpfMap &map : every.maps()) {
    EXPECT_EQ(count_one(counter, map).method, BpfMethod::unknown);
    const BpfMapFill fill = count_one(counter, map, {.budget = kAmpleBudget, .array_values = true});
    EXPECT_EQ(fill.method, BpfMethod::walked) << fill.note;
    EXPECT_EQ(fill.entries, map.set_values);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, EveryTypeBpfTest,
                         ::testing::Values(BpfMapLevel::empty, BpfMapLevel::some,
                                           BpfMapLevel::full),
                         [](const auto &level) {
                           return std::string{level.param == BpfMapLevel::empty  ? "Empty"
                                              : level.param == BpfMapLevel::some ? "Some"
                                                                                 : "Full"};
                         });

TEST_F(MapCounterBpfTest, NearlyEveryTypeIsKnownWhereTheKernelTakesThePrograms) {
  MapCounter counter = MapCounter::start();
  if (!counter.problem().empty())
    GTEST_SKIP() << counter.problem();
  const EveryBpfMap every = EveryBpfMap::make(BpfMapLevel::some);
  const std::vector<std::string> never = {"array", "percpu_array", "bloom_filter", "arena"};
  for (const MadeBpfMap &map : every.maps()) {
    const BpfMapFill fill = count_one(counter, map, {.budget = kAmpleBudget});
    const bool is_never = std::ranges::find(never, map.type) != never.end();
    EXPECT_EQ(fill.method == BpfMethod::unknown, is_never) << map.type << ": " << fill.note;
  }
}

TEST_F(MapCounterBpfTest, AHashMapWithoutPreallocationIsKnownThreeWays) {
  auto map = testing::make_bpf_map("hash", "ms_three_ways", 5000, BPF_F_NO_PREALLOC);
  ASSERT_TRUE(map) << map.error().message();
  ASSERT_TRUE(testing::put_bpf_keys(*map, 0, 3210));
  const MapCountPrograms programs = MapCountPrograms::load();
  const MapCountTable table = programs.run();
  const auto found = table.find(map->id);
  if (found == table.end())
    GTEST_SKIP() << programs.problem();
  const bpf_map_count &record = found->second;
  if ((record.has & BPF_MAP_HAS_COUNTER) != 0) {
    EXPECT_EQ(record.counter, 3210);
  }
  // One of the two, by how many CPUs there are.
  if ((record.has & BPF_MAP_HAS_OWN_COUNT) != 0) {
    EXPECT_EQ(record.own_count, 3210u);
  } else {
    ASSERT_NE(record.has & BPF_MAP_HAS_ROUGH, 0u);
    bpf_map_count rough_only = record;
    rough_only.has = BPF_MAP_HAS_ROUGH;
    const auto cpus = static_cast<std::uint32_t>(::sysconf(_SC_NPROCESSORS_CONF));
    const auto fill = rough_fill_of_record(facts_of(*map), rough_only, cpus);
    ASSERT_TRUE(fill && fill->entries);
    EXPECT_LE(std::abs(static_cast<double>(*fill->entries) - 3210),
              static_cast<double>(fill->error));
  }
  MapCounter counter = MapCounter::start();
  const BpfMapFill walked =
      count_one(counter, *map, {.budget = kAmpleBudget, .use_programs = false});
  EXPECT_EQ(walked.entries, 3210u);
}

TEST_F(MapCounterBpfTest, WhatTheBudgetDoesNotSufficeForIsSampledWithItsError) {
  auto map = testing::make_bpf_map("hash", "ms_sampled", 400'000);
  ASSERT_TRUE(map) << map.error().message();
  ASSERT_TRUE(testing::put_bpf_keys(*map, 0, 300'000));
  MapCounter counter = MapCounter::start();
  const BpfMapFacts facts = facts_of(*map);
  // Enough for a page and no more.
  const MapCounts counts =
      counter.count({&facts, 1}, {.budget = std::chrono::microseconds{500}, .use_programs = false});
  const BpfMapFill &fill = counts.fills.at(0);
  if (fill.method == BpfMethod::unknown) // spent before the first page
    GTEST_SKIP() << fill.note;
  EXPECT_EQ(fill.method, BpfMethod::sampled) << fill.note;
  EXPECT_EQ(counts.not_counted, 1u);
  ASSERT_TRUE(fill.entries);
  EXPECT_GT(fill.error, 0u);
  EXPECT_LT(fill.error, 30'000u); // a page has some 21,000 keys: one part in 70
  // Five deviations, where the error says two: one run in a million is not told right.
  EXPECT_LE(std::abs(static_cast<double>(*fill.entries) - 300'000),
            2.5 * static_cast<double>(fill.error));
}

TEST_F(MapCounterBpfTest, ASmallMapIsWholeThoughALargeOneTakesTheBudget) {
  auto large = testing::make_bpf_map("hash", "ms_large", 400'000, BPF_F_NO_PREALLOC);
  auto small = testing::make_bpf_map("hash", "ms_small", 100);
  ASSERT_TRUE(large && small);
  ASSERT_TRUE(testing::put_bpf_keys(*large, 0, 300'000));
  ASSERT_TRUE(testing::put_bpf_keys(*small, 0, 42));
  const std::vector<BpfMapFacts> facts = {facts_of(*large), facts_of(*small)};
  MapCounter counter = MapCounter::start();
  const MapCounts counts =
      counter.count(facts, {.budget = std::chrono::milliseconds{1}, .use_programs = false});
  EXPECT_EQ(counts.fills.at(1).method, BpfMethod::walked) << counts.fills.at(1).note;
  EXPECT_EQ(counts.fills.at(1).entries, 42u);
  EXPECT_NE(counts.fills.at(0).method, BpfMethod::walked);
}

TEST_F(MapCounterBpfTest, AMapThatWentAwayIsARowWithoutFigures) {
  BpfMapFacts facts;
  {
    auto map = testing::make_bpf_map("hash", "ms_gone", 100);
    ASSERT_TRUE(map) << map.error().message();
    facts = facts_of(*map);
  }
  MapCounter counter = MapCounter::start();
  // The kernel takes a map apart some time after its last descriptor went.
  BpfMapFill fill;
  for (int attempt = 0; attempt < 1000; ++attempt, ::usleep(10'000)) {
    fill = counter.count({&facts, 1}).fills.at(0);
    if (fill.method == BpfMethod::unknown)
      break;
  }
  EXPECT_EQ(fill.method, BpfMethod::unknown);
  EXPECT_FALSE(fill.entries);
  EXPECT_FALSE(fill.note.empty());
}

TEST_F(MapCounterBpfTest, ATypeOfLaterKernelsIsARowThatSaysSo) {
  BpfMapFacts facts;
  facts.id = 0xfffffff0;
  facts.type = "type 77";
  facts.type_number = 77;
  MapCounter counter = MapCounter::start();
  const BpfMapFill fill = counter.count({&facts, 1}).fills.at(0);
  EXPECT_EQ(fill.method, BpfMethod::unknown);
  EXPECT_EQ(fill.note, "this build does not know the type");
}

} // namespace
} // namespace mapscope
