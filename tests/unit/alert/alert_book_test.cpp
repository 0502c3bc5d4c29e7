// Which alerts there are and which are told: silences, the limit per rule, clocks that step.
#include "alert/alert_book.h"

#include <gtest/gtest.h>

#include "unit/alert/alert_samples.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Finding finding_at(unsigned number, bool is_firing, std::uint64_t mono_ns) {
  Finding finding = sample_finding(number, is_firing);
  finding.since_ns = mono_ns;
  finding.time_ns = mono_ns;
  return finding;
}

struct AlertBookTest : ::testing::Test {
  AlertBook book{"here", "boot-1"};
  AlertClock clock{.mono_ns = 1000 * kSecond, .wall_ns = 5'000'000 * kSecond};

  BookEntry fire(unsigned number) { return book.take(finding_at(number, true, 0), clock); }
  BookEntry resolve(unsigned number) { return book.take(finding_at(number, false, 0), clock); }
};

TEST_F(AlertBookTest, MakesWallTimesOfMonotonicOnes) {
  Finding finding = finding_at(1, true, 990 * kSecond);
  finding.since_ns = 900 * kSecond;
  const Alert &alert = book.take(finding, clock).alert->notice.alert;
  EXPECT_EQ(alert.since_wall_ns, clock.wall_ns - 100 * kSecond);
  EXPECT_EQ(alert.updated_wall_ns, clock.wall_ns - 10 * kSecond);
}

TEST_F(AlertBookTest, AClockThatIsSetBackEndsNothingBeforeItBegan) {
  fire(1);
  clock.mono_ns += kSecond;
  clock.wall_ns -= 3600 * kSecond;
  const Alert &alert = resolve(1).alert->notice.alert;
  EXPECT_EQ(alert.resolved_wall_ns, alert.since_wall_ns);
}

TEST_F(AlertBookTest, LabelsStayWhileItFires) {
  Finding finding = sample_finding(1);
  finding.site = "";
  book.take(finding, clock);
  const BookEntry changed = fire(1);
  EXPECT_EQ(changed.change, AlertChange::changed);
  EXPECT_TRUE(changed.is_to_tell);
  EXPECT_EQ(changed.alert->notice.alert.finding.site, "main.fill main.go:12");
  EXPECT_FALSE(changed.alert->notice.labels.contains("site"));
  EXPECT_FALSE(resolve(1).alert->notice.labels.contains("site"));
  EXPECT_TRUE(fire(1).alert->notice.labels.contains("site"));
}

TEST_F(AlertBookTest, ASilenceHasToMatchAllItNames) {
  book.configure({.silences = {{.match = {{"alertname", "wa*"}, {"container", "?*"}}}}});
  EXPECT_TRUE(fire(1).is_to_tell); // it is in no container
  book.configure({.silences = {{.match = {{"alertname", "wa*"}, {"unit", "served.service"}}}}});
  EXPECT_FALSE(fire(2).is_to_tell);
  EXPECT_EQ(book.silenced(), 1U);
  book.configure({.silences = {{}}});
  EXPECT_TRUE(fire(3).is_to_tell);
}

TEST_F(AlertBookTest, WhatWasToldIsToldToBeOverWhateverSilencesSay) {
  EXPECT_TRUE(fire(1).is_to_tell);
  book.configure({.silences = {{.match = {{"alertname", "*"}}}}});
  fire(2);
  EXPECT_TRUE(resolve(1).is_to_tell);
  EXPECT_FALSE(resolve(2).is_to_tell);
}

TEST_F(AlertBookTest, ASilenceThatEndsIsHeard) {
  const std::uint64_t end = clock.wall_ns + 10 * kSecond;
  book.configure({.silences = {{.match = {{"alertname", "*"}}, .until_wall_ns = end}}});
  fire(1);
  EXPECT_EQ(book.next_silence_end_ns(clock.wall_ns), end);
  EXPECT_TRUE(book.unsilence(clock).empty());
  clock.wall_ns = end;
  const auto told = book.unsilence(clock);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].change, AlertChange::began);
  EXPECT_TRUE(told[0].is_to_tell);
  EXPECT_EQ(book.next_silence_end_ns(clock.wall_ns), std::nullopt);
}

TEST_F(AlertBookTest, LimitsNewOnesOfARuleForAnHour) {
  book.configure({.per_rule_per_hour = 1});
  EXPECT_TRUE(fire(1).is_to_tell);
  EXPECT_TRUE(fire(2).is_first_limited);
  EXPECT_FALSE(fire(3).is_first_limited);
  EXPECT_FALSE(resolve(2).is_to_tell);
  EXPECT_TRUE(resolve(1).is_to_tell);
  EXPECT_EQ(book.rate_limited(), 2U);
  clock.mono_ns += AlertBook::kHourNs;
  EXPECT_TRUE(fire(4).is_to_tell);
}

TEST_F(AlertBookTest, ForgetsWhatIsOverForAnHour) {
  fire(1);
  fire(2);
  resolve(1);
  EXPECT_TRUE(book.forget_old(clock).empty());
  clock.mono_ns += AlertBook::kHourNs;
  clock.wall_ns -= 100 * AlertBook::kHourNs; // does not matter
  EXPECT_EQ(book.forget_old(clock), std::vector{sample_fingerprint(1)});
  EXPECT_EQ(book.alerts().size(), 1U);
}

TEST_F(AlertBookTest, HasRoomForSoManyAndCountsTheRest) {
  book.configure({.per_rule_per_hour = 100'000});
  for (unsigned i = 0; i < AlertBook::kAlertsMax; ++i)
    fire(i);
  EXPECT_EQ(fire(AlertBook::kAlertsMax).alert, nullptr);
  EXPECT_EQ(book.without_room(), 1U);
  resolve(7);
  EXPECT_EQ(book.forget_old(clock), std::vector{sample_fingerprint(7)});
  EXPECT_NE(fire(AlertBook::kAlertsMax).alert, nullptr);
}

TEST_F(AlertBookTest, WhatItNeverSawBeginIsToldToBeOver) {
  EXPECT_TRUE(resolve(1).is_to_tell);
  EXPECT_FALSE(resolve(1).is_to_tell); // once
}

} // namespace
} // namespace mapscope
