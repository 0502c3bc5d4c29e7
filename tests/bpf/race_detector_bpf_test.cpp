// C code that runs on the system stack while g is a goroutine's, as the race detector does: where
// the goroutine stands is not known, and so not whether what it writes is inside a map operation.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/goroutine_bpf_test.h"

namespace mapscope::testing {
namespace {

constexpr int kWrites = 3;

thread_local std::uint64_t g_of_thread = 0;

std::int32_t offset_of_g() {
  return static_cast<std::int32_t>(reinterpret_cast<std::intptr_t>(&g_of_thread) -
                                   reinterpret_cast<std::intptr_t>(__builtin_thread_pointer()));
}

// Runs C code while g is a goroutine's whose own stack is elsewhere.
void run_as_c(bool on_system_stack, const std::function<void()> &code) {
  const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  FakeRuntime runtime{4096, 8192, kGoroutine};
  if (on_system_stack) {
    runtime.g0[0] = here - 65536;
    runtime.g0[1] = here + 4096;
  }
  g_of_thread = reinterpret_cast<std::uint64_t>(runtime.g.data());
  code();
  g_of_thread = 0;
}

void write_to_a_file() {
  const int fd = ::open("/dev/null", O_WRONLY);
  for (int i = 0; i < kWrites; ++i) [[maybe_unused]]
    ssize_t size = ::write(fd, "race", 4);
}

class RaceDetectorBpfTest : public GoroutineBpfTest {
protected:
  std::uint64_t unreadable_after(bool on_system_stack, std::function<void()> code) {
    target settings = fake_target();
    settings.flags |= TARGET_TLS_KNOWN;
    settings.tls_offset = offset_of_g();
    start([=] { run_as_c(on_system_stack, code); }, settings);
    if (HasFatalFailure())
      return 0;
    EXPECT_TRUE(tracer_->watch_system_calls());
    child_->run();
    tracer_->unwatch_system_calls();
    return tracer_->counts(index_).lost[LOSS_GOROUTINE_UNREADABLE];
  }
};

TEST_F(RaceDetectorBpfTest, OfWhatItWritesToAFileItIsOpenWhetherThatIsInsideAMapOperation) {
  EXPECT_EQ(unreadable_after(true, write_to_a_file), unsigned{kWrites + 1}); // and the open
}

TEST_F(RaceDetectorBpfTest, WhatItAsksOfTheKernelElseIsNoFileCall) {
  EXPECT_EQ(unreadable_after(true, [] { ::syscall(SYS_getppid); }), 0u);
}

TEST_F(RaceDetectorBpfTest, ASignalHandlerIsOutsideOfMapOperations) {
  EXPECT_EQ(unreadable_after(false, write_to_a_file), 0u);
}

} // namespace
} // namespace mapscope::testing
