// A program that is listened to: both streams, its end, and what is done to one that does not end.
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "vet/child_output.h"

namespace mapscope {
namespace {

Result<ChildOutput> run_shell(const std::string &script, const ChildLimits &limits = {}) {
  return run_for_output({"sh", "-c", script}, "/", limits);
}

TEST(ChildOutputTest, HasBothStreamsAndTheStatus) {
  const auto output = run_shell("pwd; cat; echo problem >&2; exit 3");
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->out, "/\n");
  EXPECT_EQ(output->error, "problem\n");
  EXPECT_TRUE(WIFEXITED(output->status));
  EXPECT_EQ(WEXITSTATUS(output->status), 3);
}

TEST(ChildOutputTest, EndsWhatDoesNotEnd) {
  const auto output =
      run_shell("sleep 1000 & sleep 1000", {.time = std::chrono::milliseconds{100}});
  ASSERT_FALSE(output);
  EXPECT_NE(output.error().message().find("did not end"), std::string::npos);
}

TEST(ChildOutputTest, EndsWhatSaysTooMuch) {
  const auto output = run_shell("while :; do echo more; done", {.output_bytes = 100'000});
  ASSERT_FALSE(output);
  EXPECT_NE(output.error().message().find("said more than"), std::string::npos);
}

TEST(ChildOutputTest, SaysWhatItCouldNotRun) {
  const auto output = run_for_output({"no-such-program-here"}, "/", {});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), Errc::not_found);
}

} // namespace
} // namespace mapscope
