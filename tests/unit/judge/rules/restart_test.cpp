// What is known survives: a restart of the daemon, and other rules.
#include <gtest/gtest.h>

#include "judge/rules/fingerprint.h"
#include "unit/judge/rules/rule_fixture.h"

namespace mapscope {
namespace {

Rule waste_rule(std::uint64_t mebibytes = 64, int hold_seconds = 300) {
  return rule_of(MapWasteRule{.min_reclaimable_bytes = mebibytes * kMiB, .min_share = 0.5},
                 Seconds{hold_seconds});
}
SampledMap wasting() { return wasteful_map(200 * kMiB, 150 * kMiB); }
SampledMap well() { return wasteful_map(200 * kMiB, 10 * kMiB); }

// As the alerts' database gives it back.
std::vector<Finding> firing_before() {
  JudgedServer server{waste_rule(64, 0)};
  return server.see(10, {wasting()});
}

TEST(RestartTest, TellsNothingTwice) {
  JudgedServer server{{waste_rule()}, firing_before()};
  EXPECT_TRUE(server.see(1000, {wasting()}).empty());
  EXPECT_TRUE(server.see(1310, {wasting()}).empty()) << "the hold is over";
  const auto over = server.see(1320, {well()});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].fingerprint, firing_before()[0].fingerprint);
  EXPECT_EQ(over[0].since_ns, 10 * kSecond);
}

TEST(RestartTest, ResolvesWhatWasGoneMeanwhile) {
  JudgedServer server{{waste_rule()}, firing_before()};
  EXPECT_TRUE(server.tick(20).empty()) << "nobody has looked";
  const auto over = server.see(1000, {well()});
  ASSERT_EQ(over.size(), 1u);
  EXPECT_FALSE(over[0].is_firing);
}

TEST(RestartTest, KeepsWhatHysteresisKeeps) {
  JudgedServer server{{waste_rule()}, firing_before()};
  EXPECT_TRUE(server.see(1000, {wasteful_map(120 * kMiB, 60 * kMiB)}).empty());
  EXPECT_EQ(server.see(1010, {wasteful_map(120 * kMiB, 50 * kMiB)}).size(), 1u);
}

TEST(RestartTest, WaitsForWhatNeedsAWindow) {
  const auto growth = [] {
    return rule_of(MapGrowthRule{.bytes_per_minute = 10 * kMiB, .window = Seconds{300}});
  };
  JudgedServer first{growth()};
  for (std::uint64_t i = 0; i < 20; ++i)
    first.see(i * 30, {cache_map((400 + 10 * i) * kMiB, 10'000 * i)});
  ASSERT_EQ(first.count(true), 1u);
  JudgedServer second{{growth()}, first.all()};
  for (std::uint64_t i = 20; i < 40; ++i)
    EXPECT_TRUE(second.see(i * 30, {cache_map((400 + 10 * i) * kMiB, 10'000 * i)}).empty()) << i;
  for (std::uint64_t i = 40; i < 80; ++i)
    second.see(i * 30, {cache_map(800 * kMiB, 400'000)});
  EXPECT_EQ(second.count(false), 1u);
}

TEST(RestartTest, EndsWhatProcessesLeft) {
  RuleEngine engine{{waste_rule()}, {.boot_id = "boot"}};
  engine.restore(firing_before());
  EXPECT_TRUE(engine.tick(20 * kSecond, false).empty());
  const auto over = engine.tick(21 * kSecond, true);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the process ended");
  EXPECT_TRUE(engine.tick(22 * kSecond, true).empty());
}

TEST(RestartTest, EndsWhatHasNoRule) {
  Rule other = waste_rule();
  other.name = "another";
  JudgedServer server{{other}, firing_before()};
  ASSERT_EQ(server.all().size(), 1u);
  EXPECT_EQ(server.all()[0].resolution, "the rule is no more in force");
}

TEST(RestartTest, TellsMisuseUntilItsTimeIsOver) {
  JudgedServer first{rule_of(MapMisuseRule{})};
  first.tell(MisuseSample{.time_ns = 100 * kSecond,
                          .process = server_process().key,
                          .message = "concurrent map writes"});
  JudgedServer second{{rule_of(MapMisuseRule{})}, first.all()};
  EXPECT_TRUE(second.tick(699).empty());
  EXPECT_EQ(second.tick(700).size(), 1u);
}

TEST(RestartTest, TellsMisuseThatEndedItsProcess) {
  JudgedServer first{rule_of(MapMisuseRule{})};
  first.tell(MisuseSample{.time_ns = 100 * kSecond,
                          .process = server_process().key,
                          .message = "concurrent map writes"});
  RuleEngine second{{rule_of(MapMisuseRule{})}, {.boot_id = "boot"}};
  second.restore(first.all());
  EXPECT_TRUE(second.tick(200 * kSecond, true).empty());
  EXPECT_TRUE(second.tick(799 * kSecond, true).empty());
  const auto over = second.tick(800 * kSecond, true);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the process ended");
  EXPECT_EQ(over[0].fingerprint, first.all()[0].fingerprint);
}

TEST(RestartTest, OtherRulesEndWhatTheyDoNotSay) {
  JudgedServer server{waste_rule(64, 0)};
  server.see(10, {wasting()});
  const auto over = server.engine().replace_rules({rule_of(FileIoRule{})}, 20 * kSecond);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].resolution, "the rule is no more in force");
  EXPECT_EQ(over[0].rule, "map-waste");
  EXPECT_TRUE(server.see(30, {wasting()}).empty());
}

TEST(RestartTest, TheSameRuleKeepsWhatItKnows) {
  JudgedServer server{waste_rule(64, 100)};
  server.see(10, {wasting()});
  Rule same = waste_rule(64, 100);
  same.severity = Severity::critical;
  EXPECT_TRUE(server.engine().replace_rules({rule_of(FileIoRule{}), same}, 20 * kSecond).empty());
  const auto found = server.see(111, {wasting()});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, Severity::critical);
  EXPECT_EQ(found[0].since_ns, 10 * kSecond);
}

TEST(RestartTest, OtherThresholdsAreAskedOfWhatFires) {
  JudgedServer server{waste_rule(64, 0)};
  server.see(10, {wasting()});
  EXPECT_TRUE(server.engine().replace_rules({waste_rule(100, 0)}, 20 * kSecond).empty());
  EXPECT_TRUE(server.see(30, {wasting()}).empty()) << "150 MiB are over both";
  EXPECT_TRUE(server.engine().replace_rules({waste_rule(190, 0)}, 40 * kSecond).empty());
  EXPECT_EQ(server.see(50, {wasting()}).size(), 1u);
  EXPECT_EQ(server.count(false), 1u);
}

TEST(RestartTest, FingerprintsNeverChange) {
  const ProcessKey key{100, 7 * kSecond};
  const auto fingerprint = fingerprint_of("boot", key, "map-waste", "owner main.cache");
  EXPECT_EQ(fingerprint.text(), "b2a76e6727fb9733ed27604843750195");
  EXPECT_EQ(AlertFingerprint::from_text(fingerprint.text()), fingerprint);
  EXPECT_FALSE(AlertFingerprint::from_text("xyz"));
  EXPECT_FALSE(AlertFingerprint::from_text(std::string(32, 'g')));
  EXPECT_NE(fingerprint_of("boot2", key, "map-waste", "owner main.cache"), fingerprint);
  EXPECT_NE(fingerprint_of("boot", {100, 8}, "map-waste", "owner main.cache"), fingerprint);
  EXPECT_NE(fingerprint_of("boot", key, "map-wasteo", "wner main.cache"), fingerprint);
}

} // namespace
} // namespace mapscope
