// Each rule about a whole process, and each about what probes saw.
#include <gtest/gtest.h>

#include "unit/judge/rules/rule_fixture.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGiB = 1024 * kMiB;

CensusSample census(std::uint64_t second) {
  return {.time_ns = second * kSecond, .process = server_process().key};
}

TEST(ProcessRulesTest, ShareOfTheHeap) {
  JudgedServer server{rule_of(MapShareRule{.max_share = 0.8, .min_bytes = kGiB})};
  CensusSample sample = census(10);
  sample.heap.live_bytes = 2 * kGiB;
  sample.map_bytes = kGiB;
  sample.map_count = 12;
  EXPECT_TRUE(server.tell(sample).empty());
  sample.map_bytes = 2 * kGiB - kGiB / 4;
  sample.maps = {cache_map(kGiB)};
  const auto found = server.tell(sample);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].summary,
            "server (pid 100): maps hold 88 % of the live heap, 1.75 GiB of 2.00 GiB in 12 maps, "
            "seen first now");
  EXPECT_EQ(found[0].cause, "The largest maps: main.cache (map[string]int) 1.00 GiB.");
  EXPECT_TRUE(found[0].type.empty() && found[0].owner.empty() && found[0].site.empty());
  sample.heap.live_bytes.reset();
  EXPECT_TRUE(server.tell(sample).empty()) << "not known";
  sample.heap.live_bytes = 8 * kGiB;
  EXPECT_EQ(server.tell(sample).size(), 1u);
}

Rule heap_rule() {
  return rule_of(
      HeapGrowthRule{.bytes_per_minute = 50 * kMiB, .min_map_share = 0.3, .window = Seconds{300}});
}

// `share` of 100 MiB a minute is for maps.
std::size_t found_with_share(double share, bool is_profiled) {
  JudgedServer server{heap_rule()};
  for (std::uint64_t i = 0; i <= 10; ++i) {
    CensusSample sample = census(i * 30);
    const std::uint64_t grown = i * 50 * kMiB;
    const auto of_maps = static_cast<std::uint64_t>(share * static_cast<double>(grown));
    sample.heap.live_bytes = kGiB + grown;
    sample.map_bytes = is_profiled ? 0 : of_maps;
    if (is_profiled) {
      sample.allocated_bytes = 1000 + 4 * grown;
      sample.allocated_by_maps_bytes = 10 + 4 * of_maps;
    }
    server.tell(sample);
  }
  return server.count(true);
}

TEST(ProcessRulesTest, HeapGrowthByTheProfileOrByTheMaps) {
  EXPECT_EQ(found_with_share(0.5, true), 1u);
  EXPECT_EQ(found_with_share(0.1, true), 0u);
  EXPECT_EQ(found_with_share(0.5, false), 1u);
  EXPECT_EQ(found_with_share(0.1, false), 0u);
}

TEST(ProcessRulesTest, HeapGrowthIsOverWhenItEnds) {
  JudgedServer server{heap_rule()};
  for (std::uint64_t i = 0; i <= 40; ++i) {
    CensusSample sample = census(i * 30);
    sample.map_bytes = std::min<std::uint64_t>(i, 12) * 50 * kMiB;
    sample.heap.live_bytes = kGiB + sample.map_bytes;
    server.tell(sample);
  }
  EXPECT_EQ(server.count(true), 1u);
  EXPECT_EQ(server.count(false), 1u);
}

// What is live is known at the end of a collection, and a large heap has one in minutes.
TEST(ProcessRulesTest, HeapGrowthIsNotOverBetweenTwoCollections) {
  JudgedServer server{heap_rule()};
  for (std::uint64_t i = 0; i <= 60; ++i) {
    CensusSample sample = census(i * 30);
    sample.heap.gc_cycles = i / 6;
    sample.heap.live_bytes = kGiB + i / 6 * 400 * kMiB;
    sample.map_bytes = i * 60 * kMiB;
    server.tell(sample);
  }
  EXPECT_EQ(server.count(true), 2u) << "again, since the heap doubled";
  EXPECT_EQ(server.count(false), 0u);
  for (std::uint64_t i = 61; i <= 90; ++i) {
    CensusSample sample = census(i * 30);
    sample.heap.gc_cycles = i / 6;
    sample.heap.live_bytes = 5 * kGiB;
    sample.map_bytes = 3600 * kMiB;
    server.tell(sample);
  }
  EXPECT_EQ(server.count(false), 1u) << "collections find no more than before";
}

TEST(ProcessRulesTest, HeapGrowthIsNotTheSawtoothOfACollector) {
  JudgedServer server{heap_rule()};
  for (std::uint64_t i = 0; i <= 60; ++i) {
    CensusSample sample = census(i * 30);
    sample.heap.live_bytes = kGiB + (i % 4) * 300 * kMiB;
    sample.map_bytes = *sample.heap.live_bytes / 2;
    EXPECT_TRUE(server.tell(sample).empty()) << i;
  }
}

CensusSample objects(std::uint64_t second, std::uint64_t live) {
  CensusSample sample = census(second);
  sample.heap.objects_allocated = 1'000'000'000 + live;
  sample.heap.objects_freed = 1'000'000'000;
  return sample;
}

TEST(ProcessRulesTest, AllocsMinusFrees) {
  JudgedServer server{
      rule_of(AllocsMinusFreesRule{.min_live_objects = 1'000'000, .window = Seconds{600}})};
  for (std::uint64_t i = 0; i < 10; ++i)
    EXPECT_TRUE(server.tell(objects(i * 60, 1'000'000 + i * 10'000)).empty()) << i;
  const auto found = server.tell(objects(600, 1'100'000));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].numbers.at("gained_objects"), 100'000);
  EXPECT_TRUE(server.tell(objects(660, 1'050'000)).empty()) << "less than the hysteresis";
  EXPECT_EQ(server.tell(objects(720, 980'000)).size(), 1u);
}

// What a program had when it was first seen says nothing of the last ten minutes.
TEST(ProcessRulesTest, AllocsMinusFreesOfAProgramThatBeganWithNothing) {
  JudgedServer server{
      rule_of(AllocsMinusFreesRule{.min_live_objects = 1'000'000, .window = Seconds{600}})};
  std::size_t told = 0;
  for (std::uint64_t i = 0; i < 19; ++i)
    told += server.tell(objects(i * 60, i * 110'000)).size();
  EXPECT_EQ(told, 0u) << "ten minutes ago there were fewer";
  for (std::uint64_t i = 19; i < 30; ++i)
    told += server.tell(objects(i * 60, i * 110'000)).size();
  EXPECT_EQ(told, 1u);
}

TEST(ProcessRulesTest, AllocsMinusFreesLeavesACacheThatStaysAlone) {
  JudgedServer server{
      rule_of(AllocsMinusFreesRule{.min_live_objects = 1'000'000, .window = Seconds{600}})};
  for (std::uint64_t i = 0; i < 60; ++i)
    EXPECT_TRUE(server.tell(objects(i * 60, 2'000'000)).empty()) << "as many as before";
  for (std::uint64_t i = 60; i < 120; ++i)
    EXPECT_TRUE(server.tell(objects(i * 60, 2'000'000 + i % 2 * 100'000)).empty()) << "collected";
}

TEST(ProcessRulesTest, LimitOfACgroup) {
  JudgedServer server{rule_of(MemoryLimitRule{.max_share = 0.9})};
  CensusSample sample = census(10);
  EXPECT_TRUE(server.tell(sample).empty()) << "no limit";
  sample.limits = {.cgroup_bytes = 900 * kMiB, .cgroup_limit_bytes = 1000 * kMiB};
  EXPECT_TRUE(server.tell(sample).empty());
  sample.limits.cgroup_bytes = 910 * kMiB;
  sample.map_bytes = 600 * kMiB;
  sample.maps = {cache_map(500 * kMiB), other_map(cache_map(100 * kMiB))};
  const auto found = server.tell(sample);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].summary, "server (pid 100): at 91 % of the limit of its cgroup: 910 MiB of "
                              "1000 MiB, 600 MiB of it maps, seen first now");
  EXPECT_NE(found[0].fix.find("main.cache (map[string]int) 500 MiB, main.other"), std::string::npos)
      << found[0].fix;
  sample.limits.cgroup_bytes = 500 * kMiB;
  EXPECT_EQ(server.tell(sample).size(), 1u);
}

TEST(ProcessRulesTest, LimitOfTheRuntimeIsNotNearBecauseOfGarbage) {
  JudgedServer server{rule_of(MemoryLimitRule{.max_share = 0.9})};
  CensusSample sample = census(10);
  sample.limits = {.go_used_bytes = 990 * kMiB, .go_limit_bytes = 1000 * kMiB};
  sample.heap.allocated_bytes = 900 * kMiB;
  sample.heap.live_bytes = 300 * kMiB;
  EXPECT_TRUE(server.tell(sample).empty()) << "the next collection frees 600 MiB";
  sample.heap.live_bytes = 880 * kMiB;
  const auto found = server.tell(sample);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].summary.find("97 % of GOMEMLIMIT"), std::string::npos) << found[0].summary;
}

RateSample rates(std::uint64_t second, double growths, double creations, double error = 0.1) {
  SiteRate rate{.site = {"main.parse", "/src/parse.go", 7, false},
                .type = "map[string]int",
                .growths = 100,
                .creations = 100,
                .growths_per_minute = growths,
                .creations_per_second = creations,
                .relative_error = error,
                .slots_max = 4096};
  return {.time_ns = second * kSecond,
          .process = server_process().key,
          .watched_ns = kSecond,
          .hits = 200,
          .sites = {rate}};
}

TEST(ProcessRulesTest, StormOfGrowthGivesTheSize) {
  JudgedServer server{rule_of(MapRehashStormRule{.growths_per_minute = 1000})};
  EXPECT_TRUE(server.tell(rates(1, 1100, 0)).empty()) << "its error takes it below";
  const auto found = server.tell(rates(2, 1200, 0));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].site, "parse.go:7 (main.parse)");
  EXPECT_NE(found[0].fix.find("make(map[string]int, 3328)"), std::string::npos) << found[0].fix;
  EXPECT_TRUE(server.tell(rates(3, 950, 0)).empty()) << "in the hysteresis";
  EXPECT_EQ(server.tell(rates(4, 800, 0)).size(), 1u);
}

TEST(ProcessRulesTest, StormIsOverWhereNothingWasSeenAndNothingLost) {
  JudgedServer server{rule_of(MapRehashStormRule{.growths_per_minute = 1000})};
  server.tell(rates(1, 5000, 0));
  RateSample nothing = rates(2, 0, 0);
  nothing.sites.clear();
  nothing.lost = 3;
  EXPECT_TRUE(server.tell(nothing).empty());
  nothing.lost = 0;
  nothing.watched_ns = 0;
  EXPECT_TRUE(server.tell(nothing).empty()) << "nobody looked";
  nothing.watched_ns = kSecond;
  EXPECT_EQ(server.tell(nothing).size(), 1u);
}

TEST(ProcessRulesTest, StormAddsUpTheTypesOfOneLine) {
  JudgedServer server{rule_of(MapRehashStormRule{.growths_per_minute = 1000})};
  RateSample sample = rates(1, 700, 0);
  sample.sites.push_back(sample.sites[0]);
  sample.sites[1].type = "map[int]int";
  EXPECT_EQ(server.tell(sample).size(), 1u);
}

TEST(ProcessRulesTest, Churn) {
  JudgedServer server{rule_of(MapChurnRule{.maps_per_second = 1000})};
  EXPECT_TRUE(server.tell(rates(1, 99'999, 1000)).empty());
  const auto found = server.tell(rates(2, 0, 2000));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].summary.find("makes 2,000 maps a second"), std::string::npos);
  EXPECT_EQ(server.tell(rates(3, 0, 10)).size(), 1u);
}

TEST(ProcessRulesTest, MisuseIsToldAtOnceAndForAWhile) {
  JudgedServer server{rule_of(MapMisuseRule{}, Seconds{300})};
  MisuseSample misuse{.time_ns = 10 * kSecond,
                      .process = server_process().key,
                      .message = "concurrent map writes",
                      .is_fatal = true,
                      .type = "map[string]int",
                      .site = SourceFrame{"main.put", "/src/put.go", 3, false},
                      .goroutine = 18};
  const auto found = server.tell(misuse);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].summary,
            "server (pid 100): concurrent map writes, on a map[string]int, at put.go:3 (main.put); "
            "the runtime ends the process, seen first now");
  EXPECT_EQ(found[0].numbers.at("goroutine"), 18);
  misuse.time_ns = 100 * kSecond;
  EXPECT_TRUE(server.tell(misuse).empty()) << "told";
  EXPECT_TRUE(server.tick(699).empty());
  const auto over = server.tick(700);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "not seen again for 10 min");
}

MisuseSample crash(std::uint64_t second, ProcessKey process) {
  return {.time_ns = second * kSecond, .process = process, .message = "concurrent map writes"};
}

TEST(ProcessRulesTest, MisuseIsStillToldWhenItHasEndedTheProcess) {
  for (const auto &[keep, over_after] : {std::pair{300, 300}, {3600, 600}}) {
    JudgedServer server{rule_of(MapMisuseRule{}, Seconds{0}, Seconds{keep})};
    EXPECT_EQ(server.tell(crash(10, server_process().key)).size(), 1u);
    EXPECT_TRUE(server.end(11).empty());
    EXPECT_TRUE(server.tell(crash(12, server_process().key)).empty());
    EXPECT_EQ(server.engine().figures().inputs_of_others, 1u);
    EXPECT_TRUE(server.tick(10 + over_after).empty());
    const auto over = server.tick(11 + over_after);
    ASSERT_EQ(over.size(), 1u);
    EXPECT_FALSE(over[0].is_firing);
    EXPECT_EQ(over[0].resolution, "the process ended");
    EXPECT_TRUE(server.tick(100'000).empty());
  }
}

TEST(ProcessRulesTest, OfProgramsThatCrashAndCrashTheFirstAreForgottenFirst) {
  JudgedServer server{rule_of(MapMisuseRule{})};
  std::vector<Finding> over;
  for (std::uint32_t pid = 1000; pid < 2010; ++pid) {
    server.tell(ProcessAppeared{pid * kSecond, server_process(pid)});
    EXPECT_EQ(server.tell(crash(pid, server_process(pid).key)).size(), 1u);
    for (Finding &finding : server.tell(ProcessEnded{pid * kSecond, server_process(pid).key}))
      over.push_back(std::move(finding));
  }
  ASSERT_EQ(over.size(), 10u);
  EXPECT_EQ(over.front().process.key.pid, 1000u);
  EXPECT_EQ(over.back().process.key.pid, 1009u);
}

VerifySample verdict(std::uint64_t second, std::string text) {
  return {.time_ns = second * kSecond,
          .process = server_process().key,
          .verdict = std::move(text),
          .operations = 5,
          .duration_ns = 10 * kSecond};
}

TEST(ProcessRulesTest, FileIoIsOverWithTheNextCleanVerdict) {
  JudgedServer server{rule_of(FileIoRule{}, Seconds{60})};
  EXPECT_TRUE(server.tell(verdict(1, "clean")).empty());
  VerifySample violated = verdict(3600, "violated");
  violated.violations = {{.call = "write",
                          .path = "/var/log/gc.log",
                          .operation = "growth",
                          .site = SourceFrame{"main.fill", "/src/main.go", 12, false},
                          .cause = "GODEBUG=gctrace=1 writes there.",
                          .count = 39}};
  const auto found = server.tell(violated);
  ASSERT_EQ(found.size(), 1u) << "a verdict is of a whole window: nothing has to hold";
  EXPECT_EQ(found[0].summary,
            "server (pid 100): a map operation did file I/O: write /var/log/gc.log, 39 calls in "
            "10.0 s, at main.go:12 (main.fill), seen first now");
  EXPECT_EQ(found[0].cause, "GODEBUG=gctrace=1 writes there.");
  EXPECT_TRUE(server.tell(verdict(7200, "inconclusive")).empty());
  EXPECT_TRUE(server.tick(20'000).empty()) << "verdicts are rare";
  EXPECT_EQ(server.tell(verdict(20'100, "clean")).size(), 1u);
}

} // namespace
} // namespace mapscope
