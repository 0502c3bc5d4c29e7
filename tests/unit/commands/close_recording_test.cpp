// A recording that is not whole is bad news, and hides none that is worse.
#include <fcntl.h>
#include <sys/mman.h>

#include <gtest/gtest.h>

#include "commands/verify_report.h"

namespace mapscope {
namespace {

// What a command ends with that would end with `outcome`, and what it says of its recording.
struct Ending {
  Result<ExitStatus> status;
  std::string said;
};

Ending ending_of(Result<ExitStatus> outcome, bool is_full) {
  Fd file{::memfd_create("recording", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  const int same = file.get();
  const auto recording = RecordingWriter::create(std::move(file), "x.rec").value();
  recording->start({});
  if (is_full) {
    EXPECT_EQ(::fcntl(same, F_ADD_SEALS, F_SEAL_GROW), 0);
  }
  recording->drained();
  ::testing::internal::CaptureStderr();
  auto status = close_recording(std::move(outcome), recording.get());
  return {std::move(status), ::testing::internal::GetCapturedStderr()};
}

TEST(CloseRecordingTest, ARecordingThatIsNotWholeCouldNotTell) {
  const Ending full = ending_of(ExitStatus::done, true);
  EXPECT_EQ(full.status, ExitStatus::could_not_tell);
  EXPECT_TRUE(full.said.starts_with("mapscope: recording to x.rec: write: ")) << full.said;
  const Ending whole = ending_of(ExitStatus::done, false);
  EXPECT_EQ(whole.status, ExitStatus::done);
  EXPECT_EQ(whole.said, "");
}

TEST(CloseRecordingTest, WhatWasFoundAndTheFirstErrorStay) {
  const Ending found = ending_of(ExitStatus::found, true);
  EXPECT_EQ(found.status, ExitStatus::found);
  EXPECT_NE(found.said, "");
  const Ending failed = ending_of(fail(Errc::gone, "the process has ended"), true);
  ASSERT_FALSE(failed.status);
  EXPECT_EQ(failed.status.error().message(), "the process has ended");
  EXPECT_NE(failed.said, "");
}

TEST(CloseRecordingTest, NoRecordingChangesNothing) {
  EXPECT_EQ(close_recording(ExitStatus::done, nullptr), ExitStatus::done);
}

} // namespace
} // namespace mapscope
