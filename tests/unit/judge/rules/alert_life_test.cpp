// When an alert begins, what it is known by, what becomes of it, and when it is over.
#include <gtest/gtest.h>

#include "unit/judge/rules/rule_fixture.h"

namespace mapscope {
namespace {

Rule waste_rule(int hold_seconds = 0, int keep_seconds = 0) {
  return rule_of(MapWasteRule{.min_reclaimable_bytes = 64 * kMiB, .min_share = 0.5},
                 Seconds{hold_seconds}, Seconds{keep_seconds});
}
SampledMap wasting() { return wasteful_map(200 * kMiB, 150 * kMiB); }
SampledMap well() { return wasteful_map(200 * kMiB, 10 * kMiB); }

TEST(AlertLifeTest, FiresOnceAndResolvesOnce) {
  JudgedServer server{waste_rule()};
  EXPECT_EQ(server.see(10, {wasting()}).size(), 1u);
  EXPECT_TRUE(server.see(20, {wasting()}).empty());
  const auto over = server.see(30, {well()});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_FALSE(over[0].is_firing);
  EXPECT_EQ(over[0].resolution, "the map wastes no more than 10.0 MiB of 200 MiB now");
  EXPECT_TRUE(server.see(40, {well()}).empty());
  EXPECT_EQ(server.all()[0].fingerprint, server.all()[1].fingerprint);
}

TEST(AlertLifeTest, SaysWhoHowMuchAndSinceWhen) {
  JudgedServer server{waste_rule(60)};
  server.see(10, {wasting()});
  const auto found = server.see(75, {wasting()});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].summary,
            "server (pid 100): map[string]int of main.cache (cache.go:12) wastes 150 MiB of "
            "200 MiB: 1,000 entries in 6,553,600 slots, for 1 min 5 s");
  EXPECT_LE(found[0].summary.size(), 200u);
  EXPECT_EQ(found[0].type, "map[string]int");
  EXPECT_EQ(found[0].owner, "main.cache");
  EXPECT_EQ(found[0].site, "cache.go:12 (main.fill)");
  EXPECT_EQ(found[0].since_ns, 10 * kSecond);
  EXPECT_EQ(found[0].time_ns, 75 * kSecond);
  EXPECT_EQ(found[0].process, server_process());
  EXPECT_EQ(found[0].kind, "map-waste");
  EXPECT_EQ(found[0].maps, 1u);
  EXPECT_EQ(found[0].numbers.at("reclaimable_bytes"), 150.0 * kMiB);
  EXPECT_EQ(found[0].numbers.at("value"), 150.0 * kMiB);
  EXPECT_FALSE(found[0].cause.empty());
  EXPECT_FALSE(found[0].fix.empty());
}

TEST(AlertLifeTest, IsOverAtItsProcessesEnd) {
  JudgedServer server{waste_rule(0, 3600)};
  server.see(10, {wasting()});
  const auto over = server.end(20);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the process ended");
  EXPECT_TRUE(server.tick(10'000).empty());
}

TEST(AlertLifeTest, WaitsUntilTheConditionHasHeld) {
  JudgedServer server{waste_rule(300)};
  for (std::uint64_t second : {10, 100, 200, 300})
    EXPECT_TRUE(server.see(second, {wasting()}).empty()) << second;
  EXPECT_EQ(server.see(311, {wasting()}).size(), 1u);
}

TEST(AlertLifeTest, BeginsAnewWhenTheConditionDidNotHoldOnce) {
  JudgedServer server{waste_rule(300)};
  server.see(10, {wasting()});
  server.see(200, {wasteful_map(200 * kMiB, 60 * kMiB)}); // below the floor, in the hysteresis
  server.see(300, {wasting()});
  EXPECT_TRUE(server.see(400, {wasting()}).empty());
  EXPECT_EQ(server.see(601, {wasting()}).size(), 1u);
}

TEST(AlertLifeTest, FiresBetweenTwoSamplesWhenTheHoldEndsThere) {
  JudgedServer server{waste_rule(90)};
  server.see(0, {wasting()});
  server.see(60, {wasting()});
  EXPECT_TRUE(server.tick(89).empty());
  EXPECT_EQ(server.tick(90).size(), 1u);
  EXPECT_TRUE(server.see(120, {wasting()}).empty());
}

TEST(AlertLifeTest, DoesNotFireByASampleThatIsOld) {
  JudgedServer server{waste_rule(300)};
  server.see(0, {wasting()});
  EXPECT_TRUE(server.tick(301).empty()) << "one sample, five minutes ago";
  EXPECT_EQ(server.see(310, {wasting()}).size(), 1u);
}

TEST(AlertLifeTest, StaysInTheHysteresis) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasteful_map(120 * kMiB, 64 * kMiB)});
  EXPECT_TRUE(server.see(20, {wasteful_map(120 * kMiB, 60 * kMiB)}).empty());
  EXPECT_EQ(server.see(30, {wasteful_map(120 * kMiB, 50 * kMiB)}).size(), 1u);
}

TEST(AlertLifeTest, IsKeptUntilTheConditionWasGoneLongEnough) {
  JudgedServer server{waste_rule(0, 120)};
  server.see(10, {wasting()});
  EXPECT_TRUE(server.see(20, {well()}).empty());
  EXPECT_TRUE(server.see(100, {wasting()}).empty()) << "back again: the same alert";
  EXPECT_TRUE(server.see(110, {well()}).empty());
  EXPECT_TRUE(server.tick(229).empty());
  const auto over = server.tick(230);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_FALSE(over[0].is_firing);
}

TEST(AlertLifeTest, GathersMapsOfOneLine) {
  JudgedServer server{waste_rule()};
  SampledMap second = wasteful_map(400 * kMiB, 300 * kMiB);
  second.address.value += 0x100;
  const auto found = server.see(10, {wasting(), second, other_map(wasting())});
  ASSERT_EQ(found.size(), 2u) << "two lines";
  const Finding &both = found[found[0].maps == 2 ? 0 : 1];
  EXPECT_EQ(both.maps, 2u);
  EXPECT_EQ(both.numbers.at("reclaimable_bytes"), 450.0 * kMiB);
  EXPECT_EQ(both.numbers.at("bytes"), 600.0 * kMiB);
  EXPECT_EQ(both.numbers.at("largest_bytes"), 400.0 * kMiB);
  EXPECT_EQ(both.summary,
            "server (pid 100): 2 maps, 600 MiB in all; the largest, map[string]int of main.cache "
            "(cache.go:12), wastes 300 MiB of 400 MiB: 1,000 entries in 13,107,200 slots, "
            "seen first now");
  EXPECT_EQ(server.see(20, {wasting(), other_map(well())}).size(), 1u) << "the other line's";
}

TEST(AlertLifeTest, KeepsItsSubjectWhenTheLineIsLearntLater) {
  JudgedServer server{waste_rule()};
  SampledMap nameless = wasting();
  nameless.owner.clear();
  nameless.site.reset();
  ASSERT_EQ(server.see(10, {nameless}).size(), 1u);
  EXPECT_TRUE(server.see(20, {wasting()}).empty());
  ASSERT_EQ(server.see(30, {}).size(), 1u);
  EXPECT_EQ(server.all()[0].fingerprint, server.all()[1].fingerprint);
}

TEST(AlertLifeTest, SaysWhenTheProgramMadeAnotherMap) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasting()});
  SampledMap made_anew = well();
  made_anew.address.value += 0x200;
  made_anew.bytes = 70 * kMiB;
  const auto over = server.see(20, {made_anew});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the map is gone: the program made another one, of 70.0 MiB");
}

TEST(AlertLifeTest, GoesOnWithTheNextMapOfTheSameLine) {
  JudgedServer server{waste_rule(60)};
  server.see(0, {wasting()});
  ASSERT_EQ(server.see(60, {wasting()}).size(), 1u);
  SampledMap next = wasting();
  next.seed = 99;
  EXPECT_TRUE(server.see(120, {next}).empty()) << "as bad as the one before";
}

// A map that is written to all the time cannot always be read, and has no name in a look that
// fails.
TEST(AlertLifeTest, DoesNotTakeWhatCouldNotBeReadForGone) {
  JudgedServer server{waste_rule()};
  SampledMap nameless = wasting();
  nameless.owner.clear();
  nameless.site.reset();
  ASSERT_EQ(server.see(10, {nameless}).size(), 1u);
  CensusSample sample{.time_ns = 20 * kSecond,
                      .process = server_process().key,
                      .maps = {other_map(well())},
                      .maps_unsettled = {nameless.address}};
  EXPECT_TRUE(server.tell(sample).empty());
  EXPECT_TRUE(server.see(30, {wasting()}).empty()) << "by its name it would be another alert";
  sample.time_ns = 40 * kSecond;
  sample.maps_unsettled.clear();
  sample.is_partial = true;
  EXPECT_TRUE(server.tell(sample).empty());
  sample.time_ns = 50 * kSecond;
  sample.is_partial = false;
  EXPECT_EQ(server.tell(sample).size(), 1u);
}

TEST(AlertLifeTest, DoesNotTakeWhatWasLeftOutForGone) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasting()});
  CensusSample sample{.time_ns = 20 * kSecond,
                      .process = server_process().key,
                      .maps = {other_map(well())},
                      .maps_left_out = 5};
  EXPECT_TRUE(server.tell(sample).empty());
  EXPECT_EQ(server.see(30, {}).size(), 1u);
}

TEST(AlertLifeTest, DoesNotWaitForWhatIsLeftOutForEver) {
  JudgedServer server{waste_rule()};
  server.see(0, {wasting()});
  CensusSample sample{.process = server_process().key, .maps_left_out = 5};
  for (std::uint64_t minute = 1; minute < 60; ++minute) {
    sample.time_ns = minute * 60 * kSecond;
    EXPECT_TRUE(server.tell(sample).empty()) << minute;
  }
  sample.time_ns = 3600 * kSecond;
  const auto over = server.tell(sample);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "not seen again for 1 h");
}

TEST(AlertLifeTest, KnowsNothingOfWhatIsNotKnown) {
  JudgedServer server{waste_rule()};
  SampledMap unknown = wasting();
  unknown.reclaimable_bytes.reset();
  EXPECT_TRUE(server.see(10, {unknown}).empty());
  server.see(20, {wasting()});
  EXPECT_TRUE(server.see(30, {unknown}).empty()) << "neither worse nor well";
  EXPECT_EQ(server.count(true), 1u);
}

TEST(AlertLifeTest, LeavesGarbageToTheCollector) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasting()});
  SampledMap garbage = wasting();
  garbage.is_unreachable = true;
  const auto over = server.see(20, {garbage});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "nothing leads to the map any more: the next collection frees it");
}

TEST(AlertLifeTest, TellsAgainWhenItDoubledAndNotTooOften) {
  JudgedServer server{waste_rule()};
  server.see(0, {wasting()});
  EXPECT_TRUE(server.see(60, {wasteful_map(800 * kMiB, 700 * kMiB)}).empty()) << "a minute ago";
  const auto again = server.see(601, {wasteful_map(800 * kMiB, 700 * kMiB)});
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].is_firing);
  EXPECT_EQ(again[0].since_ns, 0u);
  EXPECT_TRUE(server.see(1300, {wasteful_map(900 * kMiB, 800 * kMiB)}).empty()) << "no double";
}

TEST(AlertLifeTest, StandsATimeThatGoesBack) {
  JudgedServer server{waste_rule(60)};
  server.see(100, {wasting()});
  EXPECT_TRUE(server.see(10, {wasting()}).empty());
  EXPECT_TRUE(server.see(100, {wasting()}).empty());
  EXPECT_TRUE(server.tick(5).empty());
  EXPECT_EQ(server.see(160, {wasting()}).size(), 1u);
}

TEST(AlertLifeTest, IsOverWhenNobodyLookedForLong) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasting()});
  EXPECT_TRUE(server.tick(3000).empty());
  const auto over = server.tick(3610);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "not seen again for 1 h");
}

TEST(AlertLifeTest, CountsUnchangedSamplesAsTime) {
  JudgedServer server{waste_rule(100)};
  server.see(0, {wasting()});
  CensusSample again{.process = server_process().key, .maps = {wasting()}, .is_unchanged = true};
  again.time_ns = 50 * kSecond;
  EXPECT_TRUE(server.tell(again).empty());
  again.time_ns = 100 * kSecond;
  again.maps.clear(); // no more than that nothing changed
  EXPECT_EQ(server.tell(again).size(), 1u);
}

TEST(AlertLifeTest, IsAboutTheProcessesItsRuleSelects) {
  Rule rule = waste_rule();
  rule.only.exe = {"/opt/*"};
  JudgedServer server{rule};
  EXPECT_TRUE(server.see(10, {wasting()}).empty());
}

TEST(AlertLifeTest, EndsWithTheProgramThatAnotherReplaces) {
  JudgedServer server{waste_rule()};
  server.see(10, {wasting()});
  ProcessIdentity other = server_process();
  EXPECT_TRUE(server.tell(ProcessAppeared{15 * kSecond, other}).empty()) << "told again";
  other.exe = "/usr/bin/other";
  const auto over = server.tell(ProcessAppeared{20 * kSecond, other});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the process runs another program now");
  EXPECT_EQ(over[0].process.exe, "/usr/bin/server");
  EXPECT_EQ(server.see(30, {wasting()}).size(), 1u);
}

TEST(AlertLifeTest, CountsWhatIsOfNobody) {
  JudgedServer server{waste_rule()};
  server.end(10);
  server.see(20, {wasting()});
  EXPECT_EQ(server.engine().figures().inputs_of_others, 1u);
}

TEST(AlertLifeTest, ForgetsTheSmallestWhereThereIsNoRoom) {
  RuleEngine engine{{rule_of(MapEmptiedRule{.min_bytes = kMiB})}, {.subjects_max = 10}};
  engine.take(ProcessAppeared{0, server_process()});
  CensusSample sample{.time_ns = kSecond, .process = server_process().key};
  for (std::uint64_t i = 1; i <= 30; ++i) {
    sample.maps.push_back(cache_map(i * kMiB, i));
    sample.maps.back().address.value += i * 0x100;
  }
  engine.take(sample);
  EXPECT_EQ(engine.figures().subjects, 10u);
  EXPECT_EQ(engine.figures().subjects_forgotten, 20u);
  // The large ones are those that it knows.
  for (SampledMap &map : sample.maps)
    map.len = 0;
  sample.time_ns = 2 * kSecond;
  const auto found = engine.take(sample);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].maps, 10u);
  EXPECT_EQ(found[0].numbers.at("largest_bytes"), 30.0 * kMiB);
}

TEST(AlertLifeTest, RemembersNothingOfMapsThatAreWell) {
  JudgedServer server{waste_rule()};
  server.see(10, {well(), other_map(wasting())});
  EXPECT_EQ(server.engine().figures().subjects, 1u);
  server.see(20, {well(), other_map(well())});
  EXPECT_EQ(server.engine().figures().subjects, 0u);
}

} // namespace
} // namespace mapscope
