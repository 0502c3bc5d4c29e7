// Durations, sizes and shares, from text and back.
#include "config/value_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace mapscope::configuration {
namespace {

using std::chrono::milliseconds;

TEST(ValueTextTest, DurationsHaveUnits) {
  EXPECT_EQ(duration_from("10s"), milliseconds{10'000});
  EXPECT_EQ(duration_from("1h30m"), milliseconds{5'400'000});
  EXPECT_EQ(duration_from("500ms"), milliseconds{500});
  EXPECT_EQ(duration_from("7d"), milliseconds{604'800'000});
  EXPECT_EQ(duration_from("0"), milliseconds{0});
  EXPECT_EQ(duration_from("10").error(), "\"10\" has no unit");
}

TEST(ValueTextTest, WhatIsNoDurationIsRefused) {
  for (const char *text : {"", "s", "10x", "-1s", "1.5h", "30m1h", "1h1h", "10s ", " 10s", "1h30",
                           "99999999999999999999s", "18446744073709551615d", "40000d"})
    EXPECT_FALSE(duration_from(text).has_value()) << text;
}

TEST(ValueTextTest, DurationsReadAsTheyWereWritten) {
  for (std::int64_t value : {0L, 1L, 999L, 1000L, 1500L, 60'000L, 3'661'001L, 90'000'000L})
    EXPECT_EQ(duration_from(duration_text(milliseconds{value})), milliseconds{value});
  EXPECT_EQ(duration_text(milliseconds{5'400'000}), "1h30m");
}

TEST(ValueTextTest, SizesAreBinaryOrDecimal) {
  EXPECT_EQ(size_from("64MiB"), 64U << 20);
  EXPECT_EQ(size_from("1GB"), 1'000'000'000U);
  EXPECT_EQ(size_from("10 kB"), 10'000U);
  EXPECT_EQ(size_from("4096"), 4096U);
  EXPECT_EQ(size_from("18446744073709551615"), UINT64_MAX);
  for (const char *text : {"", "MiB", "64mib", "64M", "-1", "1.5GiB", "0x10", "16777216TiB"})
    EXPECT_FALSE(size_from(text).has_value()) << text;
}

TEST(ValueTextTest, SizesReadAsTheyWereWritten) {
  for (std::uint64_t value : {0ULL, 1ULL, 1000ULL, 1024ULL, 50'000'000ULL, 4ULL << 30, ~0ULL})
    EXPECT_EQ(size_from(size_text(value)), value);
  EXPECT_EQ(size_text(50'000'000), "50MB");
  EXPECT_EQ(size_text(64U << 20), "64MiB");
}

TEST(ValueTextTest, SharesArePercentOrParts) {
  EXPECT_EQ(share_from("30%"), 0.3);
  EXPECT_EQ(share_from("0.3"), 0.3);
  for (const char *text : {"", "%", "a%", "nan", "inf", "-0.1", "-0", "30 %", "1e999"})
    EXPECT_FALSE(share_from(text).has_value()) << text;
}

TEST(ValueTextTest, SharesReadAsTheyWereWritten) {
  for (double value :
       {0.0, 0.07, 0.3, 1.0, 0.123456789, 1.0 / 3, 2.5, std::numeric_limits<double>::denorm_min()})
    EXPECT_EQ(share_from(share_text(value)), value);
  EXPECT_EQ(share_text(0.07), "7%");
}

TEST(ValueTextTest, TimesAreOfSomeZone) {
  EXPECT_EQ(time_from("2000-01-01T00:00:00Z"), 946'684'800'000'000'000U);
  EXPECT_EQ(time_from("2000-01-01T01:00:00+01:00"), 946'684'800'000'000'000U);
  EXPECT_EQ(time_from("1999-12-31T18:30:00-05:30"), 946'684'800'000'000'000U);
  EXPECT_EQ(time_text(*time_from("2026-12-24T18:05:09Z")), "2026-12-24T18:05:09Z");
  for (const char *text :
       {"", "2026-12-24", "2026-12-24T18:00:00", "2026-02-30T00:00:00Z", "2026-12-24T24:00:00Z",
        "2026-12-24T18:00:00+99:00", "1066-10-14T09:00:00Z", "20x6-12-24T18:00:00Z"})
    EXPECT_FALSE(time_from(text).has_value()) << text;
}

TEST(ValueTextTest, WhatIsShownOfATextIsPrintableAndShort) {
  EXPECT_EQ(in_quotes("a\x1b"), "\"a?\"");
  EXPECT_LT(in_quotes(std::string(10'000, 'x')).size(), 100U);
}

} // namespace
} // namespace mapscope::configuration
