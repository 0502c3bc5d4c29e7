// Numbers for people: units, separators and the edges where rounding would show a wrong unit.
#include "base/format.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(FormatBytesTest, UsesBinaryUnitsWithThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(75'497'472), "72.0 MiB");
  EXPECT_EQ(format_bytes(512ULL << 30), "512 GiB");
  EXPECT_EQ(format_bytes(~0ULL), "16.0 EiB");
}

TEST(FormatBytesTest, RoundsIntoTheNextUnitInsteadOfPrinting1024) {
  EXPECT_EQ(format_bytes((1ULL << 20) - 1), "1.00 MiB");
  EXPECT_EQ(format_bytes(10235), "10.0 KiB"); // 9.995: not 9.99, not 10.00
}

TEST(FormatCountTest, SeparatesThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1048576), "1,048,576");
  EXPECT_EQ(format_count(~0ULL), "18,446,744,073,709,551,615");
}

TEST(FormatDurationTest, UsesTheLargestUnitThatFits) {
  EXPECT_EQ(format_duration(0), "0 ns");
  EXPECT_EQ(format_duration(850), "850 ns");
  EXPECT_EQ(format_duration(12'345), "12.3 us");
  EXPECT_EQ(format_duration(41'000'000), "41.0 ms");
  EXPECT_EQ(format_duration(1'200'000'000), "1.20 s");
  EXPECT_EQ(format_duration(125'000'000'000), "2 min 5 s");
  EXPECT_EQ(format_duration(11'520'000'000'000), "3 h 12 min");
}

TEST(FormatDurationTest, RoundsIntoTheNextUnitInsteadOfPrinting1000) {
  EXPECT_EQ(format_duration(999'999), "1.00 ms");
  EXPECT_EQ(format_duration(59'999'999'999), "1 min 0 s");
}

TEST(FormatCountedTest, MakesThePluralOfAllButOne) {
  EXPECT_EQ(format_counted(0, "call"), "0 calls");
  EXPECT_EQ(format_counted(1, "call"), "1 call");
  EXPECT_EQ(format_counted(1200, "call"), "1,200 calls");
}

} // namespace
} // namespace mapscope
