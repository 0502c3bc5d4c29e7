// When a map is full: known lines, noise, jumps, clearing.
#include "judge/time_to_full.h"

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// One look every ten seconds.
std::vector<CountAt> looks(std::size_t count, const std::function<double(double)> &entries_at) {
  std::vector<CountAt> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(
        {.time_ns = (100 + i * 10) * kSecond, .entries = entries_at(static_cast<double>(i * 10))});
  return result;
}

TEST(TimeToFullTest, ALineIsFullWhenItSays) {
  const auto counts = looks(6, [](double t) { return 100 + 2 * t; });
  const BpfTimeToFull answer = time_to_full(counts, 1'000);
  ASSERT_TRUE(answer.seconds);
  EXPECT_DOUBLE_EQ(answer.entries_per_second, 2);
  EXPECT_DOUBLE_EQ(*answer.seconds, 400); // 200 of 1000 after 50 s
  EXPECT_DOUBLE_EQ(answer.lower.value_or(0), 400);
  EXPECT_DOUBLE_EQ(answer.upper.value_or(0), 400);
  EXPECT_EQ(answer.note, "by 6 looks in 50.0 s");
}

TEST(TimeToFullTest, SaysNothingOfTooFewLooks) {
  const auto counts = looks(4, [](double t) { return t; });
  const BpfTimeToFull answer = time_to_full(counts, 1'000);
  EXPECT_FALSE(answer.seconds);
  EXPECT_FALSE(answer.lower);
  EXPECT_EQ(answer.note, "too few looks yet");
  EXPECT_FALSE(time_to_full({}, 1'000).seconds);
}

TEST(TimeToFullTest, SaysNothingOfWhatDoesNotGrow) {
  EXPECT_EQ(time_to_full(looks(9, [](double) { return 7; }), 100).note, "it does not grow");
  EXPECT_EQ(time_to_full(looks(9, [](double t) { return 99 - t; }), 100).note, "it shrinks");
  EXPECT_FALSE(time_to_full(looks(9, [](double) { return 7; }), 100).seconds);
}

TEST(TimeToFullTest, AFullMapIsFullNow) {
  const BpfTimeToFull answer = time_to_full(looks(9, [](double) { return 100; }), 100);
  EXPECT_EQ(answer.seconds, 0);
  EXPECT_EQ(answer.note, "it is full");
}

TEST(TimeToFullTest, ForetellsNoMoreThanAYear) {
  const BpfTimeToFull answer = time_to_full(looks(9, [](double t) { return t; }), 4'000'000'000);
  EXPECT_FALSE(answer.seconds);
  EXPECT_EQ(answer.note, "not within a year, as it grows now");
}

TEST(TimeToFullTest, AMapWithoutLimitIsNeverFull) {
  EXPECT_FALSE(time_to_full(looks(9, [](double t) { return t; }), 0).seconds);
}

TEST(TimeToFullTest, ASingleJumpDoesNotMatter) {
  auto counts = looks(21, [](double t) { return 100 + 2 * t; });
  counts[7].entries = 90'000;
  counts[13].entries = 0;
  const BpfTimeToFull answer = time_to_full(counts, 1'000);
  ASSERT_TRUE(answer.seconds);
  EXPECT_NEAR(answer.entries_per_second, 2, 0.05);
  EXPECT_NEAR(*answer.seconds, 250, 10);
}

TEST(TimeToFullTest, AfterClearingOnlyWhatCameSinceCounts) {
  auto counts = looks(20, [](double t) { return t < 100 ? 5 * t + 500 : 2 * (t - 100); });
  const BpfTimeToFull answer = time_to_full(counts, 1'000);
  ASSERT_TRUE(answer.seconds);
  EXPECT_DOUBLE_EQ(answer.entries_per_second, 2);
  EXPECT_EQ(answer.note, "by 10 looks since it was cleared");
  counts.resize(12); // two looks since
  EXPECT_EQ(time_to_full(counts, 1'000).note, "too few looks since it was cleared");
}

TEST(TimeToFullTest, SaysThatItMayNeverBe) {
  std::mt19937 random{1};
  std::normal_distribution<double> noise{0, 300};
  const auto counts = looks(6, [&](double t) { return 5'000 + 0.5 * t + noise(random); });
  const BpfTimeToFull answer = time_to_full(counts, 100'000);
  EXPECT_FALSE(answer.seconds && answer.upper) << answer.note;
}

// The interval is to hold the truth in 95 of 100 cases; with 400 cases, 90 % is five deviations
// off.
TEST(TimeToFullTest, TheIntervalHoldsTheTruth) {
  std::mt19937 random{7};
  std::normal_distribution<double> noise{0, 40};
  int held = 0;
  constexpr int kCases = 400;
  for (int i = 0; i < kCases; ++i) {
    auto counts = looks(15, [&](double t) { return 1'000 + 3 * t + noise(random); });
    const double room = 100'000 - counts.back().entries;
    const BpfTimeToFull answer = time_to_full(counts, 100'000);
    ASSERT_TRUE(answer.seconds && answer.lower && answer.upper) << answer.note;
    EXPECT_LE(*answer.lower, *answer.seconds);
    EXPECT_GE(*answer.upper, *answer.seconds);
    held += *answer.lower <= room / 3 && room / 3 <= *answer.upper;
  }
  EXPECT_GE(held, kCases * 90 / 100);
}

TEST(TimeToFullTest, ScaleOfEntriesAndOfTimeDoesNotMatter) {
  std::mt19937 random{3};
  std::normal_distribution<double> noise{0, 20};
  auto counts = looks(12, [&](double t) { return 300 + 4 * t + noise(random); });
  const BpfTimeToFull plain = time_to_full(counts, 10'000);
  ASSERT_TRUE(plain.seconds && plain.upper);
  auto many = counts, slow = counts;
  for (CountAt &count : many)
    count.entries *= 8;
  for (CountAt &count : slow)
    count.time_ns *= 4;
  const BpfTimeToFull scaled = time_to_full(many, 80'000), slowed = time_to_full(slow, 10'000);
  ASSERT_TRUE(scaled.seconds && scaled.upper && slowed.seconds && slowed.upper);
  EXPECT_NEAR(*scaled.seconds, *plain.seconds, 1e-6);
  EXPECT_NEAR(*scaled.upper, *plain.upper, 1e-6);
  EXPECT_NEAR(*slowed.seconds, 4 * *plain.seconds, 1e-6);
}

TEST(TimeToFullTest, ManyLooksAreBounded) {
  const auto counts = looks(5'000, [](double t) { return t; });
  EXPECT_NE(time_to_full(counts, 1'000'000).note.find("by 128 looks"), std::string::npos);
}

TEST(TimeToFullTest, ClocksThatStandStillAreNoFigure) {
  auto counts = looks(6, [](double t) { return t; });
  counts[3].time_ns = counts[2].time_ns;
  EXPECT_FALSE(time_to_full(counts, 1'000).seconds);
}

} // namespace
} // namespace mapscope
