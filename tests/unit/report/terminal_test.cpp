// Colour is for eyes alone.
#include "report/terminal.h"

#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace mapscope {
namespace {

class ColourTest : public ::testing::Test {
protected:
  void SetUp() override {
    ::unsetenv("NO_COLOR");
    ::setenv("TERM", "xterm", 1);
    if (::openpty(&outer_, &terminal_, nullptr, nullptr, nullptr) != 0)
      GTEST_SKIP() << "this machine gives no pseudo terminal";
  }
  void TearDown() override {
    ::close(outer_);
    ::close(terminal_);
  }
  int outer_ = -1, terminal_ = -1;
};

TEST_F(ColourTest, IsForTerminals) {
  EXPECT_TRUE(wants_colour(terminal_));
  int file = ::open("/dev/null", O_WRONLY);
  EXPECT_FALSE(wants_colour(file));
  ::close(file);
}

TEST_F(ColourTest, IsNotForThoseWhoSaidNo) {
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(wants_colour(terminal_));
  ::setenv("NO_COLOR", "", 1); // set but empty means nothing, says no-color.org
  EXPECT_TRUE(wants_colour(terminal_));
}

TEST_F(ColourTest, IsNotForDumbTerminals) {
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(wants_colour(terminal_));
}

TEST(TerminalTest, ColoursOnlyWhenAsked) {
  EXPECT_EQ(coloured("x", Colour::red, false), "x");
  EXPECT_EQ(coloured("x", Colour::red, true), "\x1b[1;31mx\x1b[0m");
}

} // namespace
} // namespace mapscope
