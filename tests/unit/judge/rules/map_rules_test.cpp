// Each rule about single maps: where it begins and where it ends.
#include <gtest/gtest.h>

#include "unit/judge/rules/rule_fixture.h"

namespace mapscope {
namespace {

TEST(MapRulesTest, WasteNeedsItsFloorAndItsShare) {
  JudgedServer server{rule_of(MapWasteRule{.min_reclaimable_bytes = 64 * kMiB, .min_share = 0.5})};
  EXPECT_TRUE(server.see(1, {wasteful_map(70 * kMiB, 63 * kMiB)}).empty());
  EXPECT_TRUE(server.see(2, {wasteful_map(400 * kMiB, 100 * kMiB)}).empty());
  EXPECT_EQ(server.see(3, {wasteful_map(128 * kMiB, 64 * kMiB)}).size(), 1u);
  EXPECT_EQ(server.see(4, {wasteful_map(400 * kMiB, 170 * kMiB)}).size(), 1u) << "42 %";
}

TEST(MapRulesTest, FillNeedsAFloor) {
  JudgedServer server{rule_of(MapFillRule{.max_fill = 0.1, .min_bytes = 128 * kMiB})};
  SampledMap map = cache_map(64 * kMiB, 10);
  EXPECT_TRUE(server.see(1, {map}).empty());
  map = cache_map(128 * kMiB);
  map.len = map.slots / 10 + 1;
  EXPECT_TRUE(server.see(2, {map}).empty()) << "just at the limit";
  map.len = map.slots / 20;
  const auto found = server.see(3, {map});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_DOUBLE_EQ(found[0].numbers.at("fill"), 209715.0 / 4194304);
  map.len = map.slots / 10 + 1;
  EXPECT_TRUE(server.see(4, {map}).empty()) << "in the hysteresis";
  map.len = map.slots / 9;
  const auto over = server.see(5, {map});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the map is 11 % full again");
}

TEST(MapRulesTest, EntriesAndBytesHaveLimits) {
  JudgedServer server{{rule_of(MapEntriesRule{.max_entries = 1000}),
                       rule_of(MapBytesRule{.max_bytes = 100 * kMiB})}};
  EXPECT_TRUE(server.see(1, {cache_map(100 * kMiB, 1000)}).empty());
  const auto entries = server.see(2, {cache_map(100 * kMiB, 1001)});
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].kind, "map-entries");
  const auto bytes = server.see(3, {cache_map(101 * kMiB, 950)});
  ASSERT_EQ(bytes.size(), 1u);
  EXPECT_EQ(bytes[0].kind, "map-bytes");
  const auto over = server.see(4, {cache_map(90 * kMiB, 900)});
  ASSERT_EQ(over.size(), 2u);
  EXPECT_EQ(over[0].resolution, "the map went down to 900 entries");
  EXPECT_EQ(over[1].resolution, "the map shrank to 90.0 MiB");
}

TEST(MapRulesTest, EmptiedComparesWithTheMostThatWasSeen) {
  JudgedServer server{rule_of(MapEmptiedRule{.max_share_of_peak = 0.1, .min_bytes = 32 * kMiB})};
  server.see(1, {cache_map(40 * kMiB, 1'000'000)});
  EXPECT_TRUE(server.see(2, {cache_map(40 * kMiB, 200'000)}).empty());
  const auto found = server.see(3, {cache_map(40 * kMiB, 100'000)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].numbers.at("peak_entries"), 1'000'000);
  EXPECT_NE(found[0].summary.find("keeps 40.0 MiB for 100,000 entries of 1,000,000"),
            std::string::npos)
      << found[0].summary;
  EXPECT_TRUE(server.see(4, {cache_map(40 * kMiB, 109'000)}).empty());
  EXPECT_EQ(server.see(5, {cache_map(40 * kMiB, 120'000)}).size(), 1u);
}

TEST(MapRulesTest, EmptiedKnowsAMapThatWasClearedThoughItsSeedIsAnother) {
  JudgedServer server{rule_of(MapEmptiedRule{})};
  server.see(1, {cache_map(40 * kMiB, 1'000'000)});
  SampledMap cleared = cache_map(40 * kMiB, 0);
  cleared.seed = 2;
  EXPECT_EQ(server.see(2, {cleared}).size(), 1u);
}

TEST(MapRulesTest, EmptiedTakesAnotherMapAtTheAddressForAnother) {
  JudgedServer server{rule_of(MapEmptiedRule{})};
  server.see(1, {cache_map(80 * kMiB, 1'000'000)});
  SampledMap other = cache_map(40 * kMiB, 0); // no Go map shrinks
  other.seed = 2;
  EXPECT_TRUE(server.see(2, {other}).empty());
}

TEST(MapRulesTest, EmptiedBelievesTheTracesOfWhatNobodySaw) {
  JudgedServer server{rule_of(MapEmptiedRule{.max_share_of_peak = 0.1, .min_bytes = 32 * kMiB})};
  SampledMap map = cache_map(64 * kMiB); // 2 Mi slots, so 851,968 entries at least
  map.cause = MapCause::emptied;
  map.len = 100'000;
  EXPECT_TRUE(server.see(1, {map}).empty());
  map.len = 80'000;
  const auto found = server.see(2, {map});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].summary.find("of at least 851,968"), std::string::npos) << found[0].summary;
}

TEST(MapRulesTest, EmptiedSaysNothingOfOneMadeTooLarge) {
  JudgedServer server{rule_of(MapEmptiedRule{})};
  SampledMap map = cache_map(64 * kMiB, 10);
  map.cause = MapCause::over_hinted;
  EXPECT_TRUE(server.see(1, {map}).empty());
  EXPECT_TRUE(server.see(2, {map}).empty());
}

SampledMap grown(std::uint64_t mebibytes) {
  return cache_map(mebibytes * kMiB, mebibytes * 10'000);
}

Rule growth_rule(int window_seconds = 600) {
  return rule_of(MapGrowthRule{
      .bytes_per_minute = 10 * kMiB, .window = Seconds{window_seconds}, .min_bytes = 64 * kMiB});
}

TEST(MapRulesTest, GrowthNeedsItsWindow) {
  JudgedServer server{growth_rule()};
  std::vector<Finding> found;
  std::uint64_t minute = 0;
  for (; minute < 30 && found.empty(); ++minute)
    found = server.see(minute * 60, {grown(100 + 20 * minute)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(minute - 1, 9u) << "nine tenths of ten minutes";
  EXPECT_NEAR(found[0].numbers.at("bytes_per_minute"), 20.0 * kMiB, 1);
  EXPECT_EQ(found[0].numbers.at("samples"), 10);
  EXPECT_NE(found[0].summary.find("grows by 20.0 MiB a minute (10 samples in 9 min)"),
            std::string::npos)
      << found[0].summary;
  for (found.clear(); minute < 60 && found.empty(); ++minute)
    found = server.see(minute * 60, {grown(280)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].is_firing);
  EXPECT_LT(minute, 20u);
}

TEST(MapRulesTest, GrowthLeavesASingleStepAlone) {
  JudgedServer server{growth_rule()};
  for (std::uint64_t minute = 0; minute < 60; ++minute)
    EXPECT_TRUE(server.see(minute * 60, {grown(minute < 20 ? 200 : 400)}).empty()) << minute;
}

TEST(MapRulesTest, GrowthLeavesAFillAtTheStartAlone) {
  JudgedServer server{growth_rule()};
  for (std::uint64_t minute = 0; minute < 60; ++minute)
    EXPECT_TRUE(
        server.see(minute * 60, {grown(std::min<std::uint64_t>(100 + 50 * minute, 300))}).empty())
        << minute;
}

TEST(MapRulesTest, GrowthHasAFloor) {
  JudgedServer server{growth_rule(60)};
  for (std::uint64_t second = 0; second <= 300; second += 10)
    EXPECT_TRUE(server.see(second, {cache_map((1 + second / 10) * kMiB, second)}).empty());
}

TEST(MapRulesTest, GrowthByEntries) {
  JudgedServer server{rule_of(
      MapGrowthRule{.entries_per_minute = 60'000, .window = Seconds{300}, .min_bytes = 64 * kMiB})};
  std::vector<Finding> found;
  for (std::uint64_t second = 0; second <= 300 && found.empty(); second += 30)
    found = server.see(second, {cache_map(100 * kMiB, 1000 + second * 2000)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NEAR(found[0].numbers.at("entries_per_minute"), 120'000, 1);
}

TEST(MapRulesTest, GrowthIsAskedOfFewSamplesToo) {
  JudgedServer server{growth_rule()};
  EXPECT_TRUE(server.see(0, {grown(100)}).empty());
  EXPECT_TRUE(server.see(600, {grown(400)}).empty()) << "two samples are a step";
  const auto found = server.see(1200, {grown(700)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].numbers.at("samples"), 3);
}

Rule row_rule(std::uint32_t censuses) {
  return rule_of(MapGrowthRule{.censuses_in_a_row = censuses, .min_bytes = 64 * kMiB});
}

TEST(MapRulesTest, GrowthInARow) {
  JudgedServer server{row_rule(5)};
  for (std::uint64_t i = 0; i < 5; ++i)
    EXPECT_TRUE(server.see(i * 60, {grown(100 + 5 * i)}).empty()) << i;
  const auto found = server.see(300, {grown(125)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].numbers.at("censuses_in_a_row"), 5);
  EXPECT_TRUE(server.see(360, {grown(126)}).empty());
  const auto over = server.see(420, {grown(120)});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the map shrank, with 1,200,000 entries in 120 MiB");
}

TEST(MapRulesTest, GrowthInARowBeginsAnewWithEachFall) {
  JudgedServer server{row_rule(5)};
  for (std::uint64_t i = 0; i < 60; ++i)
    EXPECT_TRUE(server.see(i * 60, {grown(200 + 10 * (i % 5))}).empty()) << i;
}

TEST(MapRulesTest, GrowthInARowNeedsATenth) {
  JudgedServer server{row_rule(5)};
  for (std::uint64_t i = 0; i < 12; ++i)
    EXPECT_TRUE(server.see(i * 60, {cache_map(100 * kMiB, 1'000'000 + i)}).empty()) << i;
}

TEST(MapRulesTest, GrowthEndsWhileTheProcessSleeps) {
  JudgedServer server{row_rule(4)};
  for (std::uint64_t i = 0; i < 5; ++i)
    server.see(i * 60, {grown(100 + 10 * i)});
  ASSERT_EQ(server.count(true), 1u);
  CensusSample again{.process = server_process().key, .is_unchanged = true};
  for (std::uint64_t i = 5; i < 9; ++i) {
    again.time_ns = i * 60 * kSecond;
    server.tell(again);
  }
  EXPECT_EQ(server.count(false), 1u);
}

TEST(MapRulesTest, AskForNoMoreThanTheyNeed) {
  RuleEngine none{{}, {}};
  EXPECT_FALSE(none.needs().census.census);
  EXPECT_EQ(none.needs().census.min_bytes, UINT64_MAX);
  RuleEngine some{{rule_of(MapWasteRule{.min_reclaimable_bytes = 100}),
                   rule_of(MapFillRule{.min_bytes = 200}), rule_of(MapEntriesRule{1000})},
                  {}};
  const RuleNeeds needs = some.needs();
  EXPECT_TRUE(needs.census.census);
  EXPECT_EQ(needs.census.min_bytes, 90u) << "the hysteresis is below the floor";
  EXPECT_EQ(needs.census.min_entries, 900u);
  EXPECT_FALSE(needs.census.limits || needs.growth_rates || needs.creation_rates || needs.misuse ||
               needs.verify);
  RuleEngine probes{{rule_of(MapRehashStormRule{}), rule_of(MapMisuseRule{})}, {}};
  EXPECT_FALSE(probes.needs().census.census);
  EXPECT_TRUE(probes.needs().growth_rates && probes.needs().misuse);
  EXPECT_FALSE(probes.needs().creation_rates || probes.needs().verify);
  RuleEngine limit{{rule_of(MemoryLimitRule{})}, {}};
  EXPECT_TRUE(limit.needs().census.limits);
}

} // namespace
} // namespace mapscope
