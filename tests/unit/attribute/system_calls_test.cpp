// The table of system calls: complete, and with the numbers of the headers we build with.
#include "attribute/system_calls.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>

namespace mapscope {
namespace {

SystemCall call_named(std::string_view name) {
  for (std::uint32_t number = 0; number < SYSTEM_CALLS_MAX; ++number)
    if (auto call = system_call(Machine::amd64, number); call && call->name == name)
      return *call;
  ADD_FAILURE() << name;
  return {};
}

TEST(SystemCallsTest, KnowsTheNumbersOfAmd64) {
  EXPECT_EQ(system_call_name(Machine::amd64, 0), "read");
  EXPECT_EQ(system_call_name(Machine::amd64, 9), "mmap");
  EXPECT_EQ(system_call_name(Machine::amd64, 257), "openat");
  EXPECT_EQ(system_call_name(Machine::amd64, 336), "uprobe");
}

TEST(SystemCallsTest, KnowsTheNumbersOfThisMachine) {
#if defined(__x86_64__)
  constexpr Machine machine = Machine::amd64;
#else
  constexpr Machine machine = Machine::arm64;
#endif
  EXPECT_EQ(system_call_name(machine, SYS_openat), "openat");
  EXPECT_EQ(system_call_name(machine, SYS_mmap), "mmap");
  EXPECT_EQ(system_call_name(machine, SYS_futex_waitv), "futex_waitv");
}

TEST(SystemCallsTest, KnowsTheNumbersOfArm64) {
  EXPECT_EQ(system_call_name(Machine::arm64, 56), "openat");
  EXPECT_EQ(system_call_name(Machine::arm64, 222), "mmap");
  EXPECT_EQ(system_call_name(Machine::arm64, 79), "newfstatat");
  EXPECT_EQ(system_call_name(Machine::arm64, 38), "renameat");
  EXPECT_EQ(system_call_name(Machine::arm64, 469), "file_setattr");
  EXPECT_FALSE(system_call(Machine::arm64, 244)); // reserved for architectures
}

TEST(SystemCallsTest, NumbersWithoutACallHaveNoNameAndNoClass) {
  EXPECT_FALSE(system_call(Machine::amd64, 511));
  EXPECT_FALSE(system_call(Machine::amd64, 0xffffffff));
  EXPECT_EQ(system_call_name(Machine::amd64, 9999), "system call 9999");
  EXPECT_EQ(call_table(Machine::amd64)[511], CALL_CLASS_OTHER);
}

TEST(SystemCallsTest, HoldsEveryCallOfTheTables) {
  auto count = [](Machine machine) {
    unsigned calls = 0;
    for (std::uint32_t number = 0; number < SYSTEM_CALLS_MAX; ++number)
      calls += system_call(machine, number).has_value();
    return calls;
  };
  EXPECT_EQ(count(Machine::amd64), 362U + 19 + 2); // headers of Linux 6.1, and 6.2 to 6.18
  EXPECT_EQ(count(Machine::arm64), 306U + 19);
}

TEST(SystemCallsTest, ReadsAndWritesAreFileCallsOnADescriptor) {
  for (auto name : {"read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev",
                    "preadv2", "pwritev2", "close", "fsync"}) {
    SystemCall call = call_named(name);
    EXPECT_EQ(call.klass, CALL_CLASS_FILE) << call.name;
    EXPECT_EQ(call.flags, CALL_FD_FIRST) << call.name;
  }
}

// The first descriptor of these may be a socket or pipe while the second is a file.
TEST(SystemCallsTest, CallsOnTwoDescriptorsAreNotRefinedByTheFirst) {
  for (auto name : {"sendfile", "splice"}) {
    SystemCall call = call_named(name);
    EXPECT_EQ(call.klass, CALL_CLASS_FILE) << call.name;
    EXPECT_EQ(call.flags, 0) << call.name;
  }
}

TEST(SystemCallsTest, SaysWhereThePathIs) {
  EXPECT_EQ(call_named("open").flags, CALL_PATH_FIRST);
  EXPECT_EQ(call_named("openat").flags, CALL_PATH_SECOND);
  EXPECT_EQ(call_named("statx").flags, CALL_PATH_SECOND);
  EXPECT_EQ(call_table(Machine::amd64)[257], int{CALL_CLASS_FILE} | int{CALL_PATH_SECOND});
}

// runtime/netpoll_epoll.go makes these by Syscall6, as user code does.
TEST(SystemCallsTest, KnowsTheCallsOfTheNetworkPoller) {
  std::set<std::uint32_t> amd64, arm64;
  for (std::uint32_t number = 0; number < SYSTEM_CALLS_MAX; ++number) {
    if (call_table(Machine::amd64)[number] & CALL_FROM_POLLER)
      amd64.insert(number);
    if (call_table(Machine::arm64)[number] & CALL_FROM_POLLER)
      arm64.insert(number);
  }
  EXPECT_EQ(amd64, (std::set<std::uint32_t>{232, 233, 281, 290, 291}));
  EXPECT_EQ(arm64, (std::set<std::uint32_t>{19, 20, 21, 22}));
}

TEST(SystemCallsTest, PutsTheCallsOfTheGoRuntimeInTheirClasses) {
  for (auto name : {"mmap", "munmap", "madvise", "brk", "mremap", "mincore", "prctl"})
    EXPECT_EQ(call_named(name).klass, CALL_CLASS_MEMORY) << name;
  for (auto name : {"futex", "nanosleep", "sched_yield", "epoll_pwait"})
    EXPECT_EQ(call_named(name).klass, CALL_CLASS_SCHEDULING) << name;
  for (auto name : {"tgkill", "rt_sigreturn", "sigaltstack"})
    EXPECT_EQ(call_named(name).klass, CALL_CLASS_SIGNAL) << name;
  EXPECT_EQ(call_named("clone").klass, CALL_CLASS_PROCESS);
  EXPECT_EQ(call_named("connect").klass, CALL_CLASS_NETWORK);
  EXPECT_EQ(call_named("timer_settime").klass, CALL_CLASS_TIME);
  EXPECT_EQ(call_named("pipe2").klass, CALL_CLASS_OTHER);
}

TEST(SystemCallsTest, OnlyWhatHasAFileBehindItIsAFileCall) {
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_FILE), CALL_CLASS_FILE);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_DIRECTORY), CALL_CLASS_FILE);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_DEVICE), CALL_CLASS_FILE);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_UNKNOWN), CALL_CLASS_FILE);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_PIPE), CALL_CLASS_OTHER);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_EVENT), CALL_CLASS_OTHER);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_TERMINAL), CALL_CLASS_OTHER);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_CLOSED), CALL_CLASS_OTHER);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_SOCKET), CALL_CLASS_NETWORK);
  EXPECT_EQ(refined(CALL_CLASS_FILE, DESCRIPTOR_MEMORY), CALL_CLASS_MEMORY);
  EXPECT_EQ(refined(CALL_CLASS_MEMORY, DESCRIPTOR_FILE), CALL_CLASS_MEMORY);
}

TEST(SystemCallsTest, KnowsWhatIoUringIsAskedFor) {
  EXPECT_EQ(io_uring_opcode(IORING_OP_OPENAT).name, "openat");
  EXPECT_EQ(io_uring_opcode(IORING_OP_SENDMSG_ZC).name, "sendmsg_zc");
  EXPECT_EQ(io_uring_opcode(IORING_OP_WRITE).klass, CALL_CLASS_FILE);
  EXPECT_EQ(io_uring_opcode(IORING_OP_SEND).klass, CALL_CLASS_NETWORK);
  EXPECT_EQ(io_uring_opcode(IORING_OP_MADVISE).klass, CALL_CLASS_MEMORY);
  EXPECT_EQ(io_uring_opcode(255).klass, CALL_CLASS_FILE);
}

TEST(SystemCallsTest, NamesTheCountersThatAreNotZero) {
  target_counts counts{};
  counts.calls_outside[0] = 2;
  counts.calls_inside[9] = 1;
  counts.calls_outside[SYSTEM_CALLS_MAX - 1] = 3;
  auto named = named_counts(Machine::amd64, counts);
  ASSERT_EQ(named.size(), 3U);
  EXPECT_EQ(named[0].name, "read");
  EXPECT_EQ(named[0].klass, CALL_CLASS_FILE);
  EXPECT_EQ(named[0].outside, 2U);
  EXPECT_EQ(named[1].name, "mmap");
  EXPECT_EQ(named[1].inside, 1U);
  EXPECT_EQ(named[2].name, "other numbers");
  EXPECT_EQ(named[2].outside, 3U);
}

} // namespace
} // namespace mapscope
