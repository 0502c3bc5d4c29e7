// Rules about the kernel's own maps: which maps they are about, and when they speak.
#include <gtest/gtest.h>

#include "unit/judge/rules/rule_fixture.h"

namespace mapscope {
namespace {

BpfMapSample flow_table(double fill, std::string type = "hash") {
  BpfMapSample map;
  map.facts.id = 412;
  map.facts.name = "flow_table";
  map.facts.type = std::move(type);
  map.facts.max_entries = 1000;
  map.facts.owner = "flowd.service";
  map.fill = {.entries = static_cast<std::uint64_t>(1000 * fill),
              .method = BpfMethod::counted,
              .fill = fill};
  return map;
}

class JudgedKernel {
public:
  explicit JudgedKernel(RuleCondition condition, const std::vector<Finding> &restored = {})
      : engine_({rule_of(std::move(condition))}, {.boot_id = "boot"}) {
    engine_.restore(restored);
    engine_.take(ProcessAppeared{.process = {.key = kKernel}});
  }
  std::vector<Finding> see(std::uint64_t second, std::vector<BpfMapSample> maps) {
    BpfMapsSample sample{.time_ns = second * kSecond, .look = {}};
    sample.look.maps = std::move(maps);
    return engine_.take(std::move(sample));
  }
  RuleEngine &engine() { return engine_; }

private:
  RuleEngine engine_;
};

bool fires(const RuleCondition &condition, const BpfMapSample &map) {
  const auto found = JudgedKernel{condition}.see(1, {map});
  return found.size() == 1 && found[0].is_firing;
}

TEST(BpfRulesTest, ASayingNamesTheMapAndNoProcess) {
  JudgedKernel kernel{BpfFillRule{}};
  BpfMapSample map = flow_table(0.95);
  map.key_file = "/keys/flow_table";
  const auto found = kernel.see(1, {map});
  ASSERT_EQ(found.size(), 1U);
  const Finding &finding = found[0];
  EXPECT_EQ(finding.process.key, kKernel);
  ASSERT_TRUE(finding.bpf_map);
  EXPECT_EQ(finding.bpf_map->id, 412U);
  EXPECT_EQ(finding.bpf_map->name, "flow_table");
  EXPECT_EQ(finding.bpf_map->method, "counted");
  EXPECT_EQ(finding.summary, "kernel: BPF map flow_table (hash, id 412) of flowd.service is 95 % "
                             "full: 950 of 1,000 entries, counted, seen first now");
  EXPECT_NE(finding.fix.find("/keys/flow_table"), std::string::npos) << finding.fix;
  EXPECT_EQ(finding.numbers.at("fill"), 0.95);
}

TEST(BpfRulesTest, WhatIsMeantToBeFullIsNoMatter) {
  EXPECT_TRUE(fires(BpfFillRule{}, flow_table(1)));
  EXPECT_FALSE(fires(BpfFillRule{}, flow_table(1, "lru_hash")));
  EXPECT_TRUE(fires(BpfFillRule{.types = {"lru_*"}}, flow_table(1, "lru_hash"))) << "asked for";
  BpfMapSample frozen = flow_table(1), small = flow_table(1), own = flow_table(1);
  frozen.facts.is_frozen = true;
  small.facts.max_entries = 8;
  own.facts.is_own = true;
  for (const BpfMapSample &map : {frozen, small, own})
    EXPECT_FALSE(fires(BpfFillRule{}, map));
  EXPECT_TRUE(fires(BpfFillRule{.maps = {"flow*"}}, own));
  EXPECT_FALSE(fires(BpfFillRule{.maps = {"other"}}, flow_table(1)));
}

TEST(BpfRulesTest, WhatIsNotKnownOrNotSureIsNotSaid) {
  BpfMapSample unknown = flow_table(1), sampled = flow_table(0.92);
  unknown.fill = {};
  EXPECT_FALSE(fires(BpfFillRule{}, unknown));
  sampled.fill.method = BpfMethod::sampled;
  sampled.fill.error = 50;
  EXPECT_FALSE(fires(BpfFillRule{}, sampled)) << "it may be 87 %";
  sampled.fill.error = 10;
  EXPECT_TRUE(fires(BpfFillRule{}, sampled));
}

TEST(BpfRulesTest, SpeaksBeforeTheMapIsFull) {
  BpfMapSample map = flow_table(0.6);
  map.time_to_full = BpfTimeToFull{.seconds = 600, .lower = 500, .upper = 800};
  EXPECT_TRUE(fires(BpfFillRule{}, map));
  const auto found = JudgedKernel{BpfFillRule{}}.see(1, {map});
  EXPECT_NE(found[0].summary.find("it will be full in 10 min (8 min 20 s to 13 min 20 s)"),
            std::string::npos)
      << found[0].summary;
  EXPECT_FALSE(fires(BpfFillRule{.full_within = Seconds{0}}, map)) << "not asked";
  EXPECT_FALSE(fires(BpfFillRule{.min_fill = 0.7}, map)) << "too early";
  map.time_to_full->upper.reset();
  EXPECT_FALSE(fires(BpfFillRule{}, map)) << "perhaps never";
  map.time_to_full = BpfTimeToFull{.seconds = 6000, .lower = 5000, .upper = 8000};
  EXPECT_FALSE(fires(BpfFillRule{}, map)) << "not so soon";
}

TEST(BpfRulesTest, TellsAtOnceWhereTheKeysWereWritten) {
  JudgedKernel kernel{BpfFillRule{}};
  BpfMapSample map = flow_table(0.6);
  map.time_to_full = BpfTimeToFull{.seconds = 600, .lower = 500, .upper = 800};
  EXPECT_EQ(kernel.see(1, {map}).size(), 1U);
  map = flow_table(0.92);
  map.key_file = "/keys/1";
  const auto found = kernel.see(2, {map});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].is_firing);
  EXPECT_EQ(found[0].bpf_map->key_file, "/keys/1");
  EXPECT_TRUE(kernel.see(3, {map}).empty()) << "once";
}

TEST(BpfRulesTest, IsOverWithHysteresisOrWithTheMap) {
  JudgedKernel kernel{BpfFillRule{}};
  EXPECT_EQ(kernel.see(1, {flow_table(0.95)}).size(), 1U);
  EXPECT_TRUE(kernel.see(2, {flow_table(0.85)}).empty());
  const auto over = kernel.see(3, {flow_table(0.8)});
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].resolution, "it is 80 % full: 800 of 1,000 entries, counted now");
  EXPECT_EQ(kernel.see(4, {flow_table(0.95)}).size(), 1U);
  const auto gone = kernel.see(5, {});
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].resolution, "the map is gone");
}

TEST(BpfRulesTest, AfterARestartGrowthHasToBeLearntAgainFirst) {
  JudgedKernel before{BpfFillRule{}};
  BpfMapSample map = flow_table(0.6);
  map.time_to_full = BpfTimeToFull{.seconds = 600, .lower = 500, .upper = 800};
  const auto told = before.see(1, {map});
  JudgedKernel after{BpfFillRule{}, told};
  map.time_to_full = BpfTimeToFull{.note = "too few looks yet"};
  EXPECT_TRUE(after.see(2, {map}).empty());
  EXPECT_TRUE(after.see(3, {map}).empty());
  map.fill.fill = 0.2;
  EXPECT_EQ(after.see(4, {map}).size(), 1U) << "whatever its growth is";
}

TEST(BpfRulesTest, LookupsSpeakByTheirLowerBound) {
  BpfMapSample map = flow_table(0.1);
  map.rates = BpfMapRates{.window_ns = kSecond,
                          .system_lookups = {.exact = 2000},
                          .program_lookups = {.estimate = 30'000, .lower = 5000, .upper = 90'000}};
  EXPECT_FALSE(fires(BpfLookupsRule{}, map)) << "7,000 are certain";
  map.rates->program_lookups.lower = 8500;
  EXPECT_TRUE(fires(BpfLookupsRule{}, map));
  map.rates.reset();
  EXPECT_FALSE(fires(BpfLookupsRule{}, map)) << "nobody looked";
}

TEST(BpfRulesTest, WhatWasToldByCountingIsOverByCounting) {
  BpfMapSample map = flow_table(0.1);
  map.rates = BpfMapRates{.window_ns = kSecond, .system_lookups = {.exact = 20'000}};
  JudgedKernel kernel{BpfLookupsRule{}};
  EXPECT_EQ(kernel.see(1, {map}).size(), 1U);
  map.rates->system_lookups.exact = 100;
  EXPECT_EQ(kernel.see(2, {map}).size(), 1U) << "though of programs nothing is known";
}

TEST(BpfRulesTest, MemoryWithoutBoundIsWhatIsHeldOrMayBe) {
  BpfMapSample map = flow_table(0.1);
  map.facts.max_entries = UINT32_MAX;
  map.facts.key_bytes = 4;
  map.facts.value_bytes = 8;
  EXPECT_FALSE(fires(BpfUnboundedRule{}, map)) << "preallocated: what it holds is what there is";
  map.facts.flags = 1;
  EXPECT_TRUE(fires(BpfUnboundedRule{}, map));
  BpfMapSample storage = flow_table(0.1, "sk_storage");
  storage.facts.memory_bytes = 2ULL << 30;
  EXPECT_FALSE(fires(BpfUnboundedRule{}, storage)) << "nobody knows what that figure is";
  storage.facts.memory_method = BpfMemoryMethod::accounted;
  EXPECT_TRUE(fires(BpfUnboundedRule{}, storage));
}

TEST(BpfRulesTest, OnlyWantOfRoomIsAFailedInsert) {
  BpfMapSample map = flow_table(0.99);
  map.rates = BpfMapRates{.window_ns = kSecond, .insert_failures = {{"EEXIST", 1000}}};
  EXPECT_FALSE(fires(BpfInsertFailuresRule{}, map));
  map.rates->insert_failures["E2BIG"] = 2;
  const auto found = JudgedKernel{BpfInsertFailuresRule{}}.see(1, {map});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].numbers.at("failures_per_minute"), 120);
  EXPECT_NE(found[0].summary.find("through bpf(2) alone"), std::string::npos);
}

TEST(BpfRulesTest, RulesOfProcessesAreNotAboutTheKernelNorTheOtherWayRound) {
  RuleEngine engine{{rule_of(MapEntriesRule{.max_entries = 1}), rule_of(BpfFillRule{})}, {}};
  engine.take(ProcessAppeared{.process = {.key = kKernel}});
  engine.take(ProcessAppeared{.process = server_process()});
  CensusSample census{.time_ns = kSecond, .process = kKernel};
  census.maps = {cache_map(kMiB)};
  EXPECT_TRUE(engine.take(census).empty());
  census.process = server_process().key;
  EXPECT_EQ(engine.take(census).size(), 1U);
}

TEST(BpfRulesTest, EndWhenNobodyLooksAnyMore) {
  JudgedKernel kernel{BpfFillRule{}};
  kernel.see(1, {flow_table(1)});
  const auto over = kernel.engine().take(ProcessEnded{.time_ns = 2 * kSecond, .process = kKernel});
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].resolution, "the kernel's maps are not looked at any more");
}

} // namespace
} // namespace mapscope
