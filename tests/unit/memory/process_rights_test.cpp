// Who may look at which process: with CAP_SYS_PTRACE alone, without it, and from outside of the
// namespaces that the process lives in.
#include <array>
#include <cstdlib>
#include <functional>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process_files.h"
#include "base/write_all.h"
#include "memory/live_process.h"

namespace mapscope {
namespace {

constexpr std::string_view kSecret = "what the other process holds";
const std::string held{kSecret};

constexpr unsigned kNobody = 65534;

// What `body` returns, run in a child of this process.
std::string in_child(const std::function<std::string()> &body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string answer = body();
    (void)write_all(Fd{::dup(ends[1])}, std::as_bytes(std::span{answer}));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  std::array<char, 4096> piece;
  for (ssize_t size; (size = ::read(ends[0], piece.data(), piece.size())) > 0;)
    answer.append(piece.data(), static_cast<std::size_t>(size));
  ::close(ends[0]);
  (void)::waitpid(child, nullptr, 0);
  return answer;
}

// Another user, with these capabilities and no others.
bool become_nobody_with(std::initializer_list<unsigned> capabilities) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (const unsigned capability : capabilities) {
    data[capability / 32].effective |= 1U << capability % 32;
    data[capability / 32].permitted |= 1U << capability % 32;
  }
  return ::prctl(PR_SET_KEEPCAPS, 1) == 0 && ::setgroups(0, nullptr) == 0 &&
         ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0 && ::syscall(SYS_capset, &header, data) == 0;
}

ProcessKey key_of(pid_t pid) {
  return {static_cast<std::uint32_t>(pid), read_process_stat(pid).value().start_time_ns};
}

// What the process of that number holds at the address of `held`, or why that can't be read.
std::string look_at(pid_t pid) {
  const auto process = LiveProcess::open(key_of(pid));
  if (!process)
    return process.error().message();
  std::string found(kSecret.size(), ' ');
  MemoryRead wanted{{reinterpret_cast<std::uint64_t>(held.data())},
                    std::as_writable_bytes(std::span{found})};
  const auto read = (*process)->read({&wanted, 1});
  return read ? (wanted.is_read ? found : "not read") : read.error().message();
}

class ProcessRightsTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "needs root, to give it up";
  }
};

TEST_F(ProcessRightsTest, CapSysPtraceAloneIsEnoughForMemoryAndMappings) {
  const pid_t other = ::getpid(); // of root
  EXPECT_EQ(in_child([other] {
              return become_nobody_with({CAP_SYS_PTRACE}) ? look_at(other) : "can't drop rights";
            }),
            kSecret);
  EXPECT_EQ(in_child([other]() -> std::string {
              if (!become_nobody_with({CAP_SYS_PTRACE}))
                return "can't drop rights";
              const auto mappings = LiveProcess::open(key_of(other)).value()->mappings();
              return !mappings ? mappings.error().message() : mappings->empty() ? "none" : "some";
            }),
            "some");
}

TEST_F(ProcessRightsTest, ThePageMapOfAnotherUserNeedsOneMore) {
  const pid_t other = ::getpid();
  const auto ask = [other]() -> std::string {
    const ProcessRange page{{reinterpret_cast<std::uint64_t>(held.data())}, 1};
    const auto runs = LiveProcess::open(key_of(other)).value()->resident_pages({&page, 1});
    return runs ? "known" : runs.error().message();
  };
  const std::string refusal = in_child([ask]() -> std::string {
    return become_nobody_with({CAP_SYS_PTRACE}) ? ask() : "can't drop rights";
  });
  EXPECT_TRUE(refusal.contains("Permission denied")) << refusal;
  EXPECT_TRUE(refusal.contains("CAP_DAC_READ_SEARCH")) << refusal;
  EXPECT_EQ(in_child([ask]() -> std::string {
              return become_nobody_with({CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH})
                         ? ask()
                         : "can't drop rights";
            }),
            "known");
}

TEST_F(ProcessRightsTest, WithoutAnyTheRefusalSaysWhatHelps) {
  const pid_t other = ::getpid();
  const std::string refusal = in_child([other]() -> std::string {
    return become_nobody_with({}) ? look_at(other) : "can't drop rights";
  });
  EXPECT_TRUE(refusal.starts_with(fmt::format("reading the memory of process {}: ", other)))
      << refusal;
  EXPECT_TRUE(refusal.contains("Operation not permitted")) << refusal;
  EXPECT_TRUE(refusal.contains("CAP_SYS_PTRACE")) << refusal;
}

// The process is number 1 of its own pid namespace, and sees another /proc than we do.
TEST_F(ProcessRightsTest, AProcessInOtherNamespacesIsReadByTheNumberThatIsSeenHere) {
  int ready[2], number[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(number, O_CLOEXEC), 0);
  const pid_t maker = ::fork();
  if (maker == 0) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0)
      ::_exit(1);
    const pid_t inner = ::fork();
    if (inner == 0) {
      (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      const bool is_apart = ::getpid() == 1 && ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
      (void)!::write(ready[1], is_apart ? "y" : "n", 1);
      for (;;)
        ::pause();
    }
    (void)!::write(number[1], &inner, sizeof(inner));
    (void)::waitpid(inner, nullptr, 0);
    ::_exit(0);
  }
  for (const int end : {ready[1], number[1]})
    ::close(end);
  pid_t inner = 0;
  char is_apart = 0;
  const bool is_made = ::read(number[0], &inner, sizeof(inner)) == sizeof(inner) &&
                       ::read(ready[0], &is_apart, 1) == 1;
  for (const int end : {ready[0], number[0]})
    ::close(end);
  if (!is_made || is_apart != 'y') {
    if (inner > 0)
      ::kill(inner, SIGKILL);
    (void)::waitpid(maker, nullptr, 0);
    GTEST_SKIP() << "namespaces cannot be made here";
  }
  EXPECT_EQ(look_at(inner), kSecret);
  auto process = LiveProcess::open(key_of(inner));
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_TRUE((*process)->mappings());
  const ProcessRange page{{reinterpret_cast<std::uint64_t>(held.data())}, 1};
  EXPECT_TRUE((*process)->resident_pages({&page, 1}));
  // The executable too: through /proc, whatever is mounted there.
  EXPECT_TRUE(Fd{::open(fmt::format("/proc/{}/exe", inner).c_str(), O_RDONLY | O_CLOEXEC)});
  ::kill(inner, SIGKILL);
  (void)::waitpid(maker, nullptr, 0);
  EXPECT_EQ((*process)->read({}).error().code(), Errc::gone);
}

} // namespace
} // namespace mapscope
