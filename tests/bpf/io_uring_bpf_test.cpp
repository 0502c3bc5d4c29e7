// Twin of io_uring_submit: requests that no system call of their own would show.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/traced_child.h"

namespace mapscope::testing {
namespace {

constexpr std::uint64_t kUserData = 0xc0ffee;

// One NOP request through a ring made by hand; 1 where this kernel refuses rings.
int submit_nop() {
  io_uring_params params{};
  auto ring = static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params));
  if (ring < 0)
    return 1;
  auto *queue = static_cast<char *>(
      ::mmap(nullptr, params.sq_off.array + params.sq_entries * sizeof(std::uint32_t),
             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING));
  auto *entries = static_cast<io_uring_sqe *>(
      ::mmap(nullptr, params.sq_entries * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES));
  entries[0] = {};
  entries[0].opcode = IORING_OP_NOP;
  entries[0].user_data = kUserData;
  reinterpret_cast<std::uint32_t *>(queue + params.sq_off.array)[0] = 0;
  __atomic_store_n(reinterpret_cast<std::uint32_t *>(queue + params.sq_off.tail), 1U,
                   __ATOMIC_RELEASE);
  return ::syscall(SYS_io_uring_enter, ring, 1, 0, 0, nullptr, 0) == 1 ? 0 : 2;
}

class IoUringBpfTest : public BpfTest {};

TEST_F(IoUringBpfTest, TellsARequestWithItsOpcode) {
  load();
  HeldChild child{[] { ::_exit(submit_nop()); }};
  watch(child.pid());
  if (!tracer_->sees_io_uring())
    GTEST_SKIP() << "this kernel has no tracepoint for io_uring submissions";
  ASSERT_TRUE(tracer_->watch_system_calls());
  int status = child.run();
  if (WEXITSTATUS(status) == 1)
    GTEST_SKIP() << "this kernel refuses io_uring";
  ASSERT_EQ(WEXITSTATUS(status), 0);

  auto requests = events_of<io_uring_submit_event>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].opcode, IORING_OP_NOP);
  EXPECT_EQ(requests[0].user_data, kUserData);
  EXPECT_EQ(requests[0].is_polled, 0);
}

} // namespace
} // namespace mapscope::testing
