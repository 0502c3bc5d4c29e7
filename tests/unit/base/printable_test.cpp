// Text that must neither steer a terminal nor break JSON.
#include "base/printable.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(PrintableTest, KeepsOrdinaryText) {
  EXPECT_EQ(printable("main.(*T).f·1 — größer 漢字 🙂"), "main.(*T).f·1 — größer 漢字 🙂");
  EXPECT_EQ(printable(""), "");
}

TEST(PrintableTest, ReplacesControlCharacters) {
  EXPECT_EQ(printable("a\x1b[31m\n\r\t\x7f"), "a?[31m????");
  EXPECT_EQ(printable(std::string_view{"a\0b", 3}), "a?b");
  EXPECT_EQ(printable("\xc2\x9b"), "??"); // C1: an escape sequence in one character
}

TEST(PrintableTest, ReplacesMarksThatReorderText) {
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a???b");
}

TEST(PrintableTest, ReplacesEachByteThatIsNoUtf8) {
  EXPECT_EQ(printable("\xff"), "?");
  EXPECT_EQ(printable("\xc3"), "?");      // cut
  EXPECT_EQ(printable("\xc0\xaf"), "??"); // overlong '/'
  EXPECT_EQ(printable("\xe0\x80\xaf"), "???");
  EXPECT_EQ(printable("\xed\xa0\x80"), "???");      // half of a surrogate pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????"); // above U+10FFFF
  EXPECT_EQ(printable("\xe2\x28\xa1"), "?(?");
}

} // namespace
} // namespace mapscope
