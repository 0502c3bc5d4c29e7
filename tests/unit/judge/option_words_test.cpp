// What options say in numbers with units.
#include "judge/option_words.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using std::chrono::milliseconds;

TEST(OptionWordsTest, TimesHaveAUnitAndAnEnd) {
  EXPECT_EQ(parse_duration("--learn", "500ms"), milliseconds{500});
  EXPECT_EQ(parse_duration("--learn", "10s"), milliseconds{10'000});
  EXPECT_EQ(parse_duration("--learn", "2m"), milliseconds{120'000});
  EXPECT_EQ(parse_duration("--learn", "60m"), milliseconds{3'600'000});
  for (const char *text : {"", "10", "s", "0s", "-1s", "1.5s", "61m", "10 s", "10sms",
                           "99999999999999999999s", "18446744073709551615m"}) {
    auto wrong = parse_duration("--learn", text);
    ASSERT_FALSE(wrong.has_value()) << text;
    EXPECT_EQ(wrong.error().code(), Errc::usage);
    EXPECT_TRUE(wrong.error().message().starts_with("--learn \"")) << wrong.error().message();
  }
}

} // namespace
} // namespace mapscope
