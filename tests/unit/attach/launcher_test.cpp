// Commands that are held before their first instruction, and what /proc says of processes.
#include "attach/launcher.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "attach/process.h"

namespace mapscope {
namespace {

// The wait(2) status once it has ended.
int status_of(HeldCommand &command) {
  pollfd ended{.fd = command.pid_fd().get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  return command.poll_status().value_or(-1);
}

TEST(LauncherTest, NothingOfTheCommandRunsBeforeItsRelease) {
  std::string mark = ::testing::TempDir() + "mapscope_held_" + std::to_string(::getpid());
  auto command = HeldCommand::start("/usr/bin/touch", {"touch", mark}, std::nullopt);
  ASSERT_TRUE(command) << command.error().message();
  auto held = find_process(command->pid());
  ASSERT_TRUE(held);
  EXPECT_FALSE(std::filesystem::equivalent(held->exe, "/usr/bin/touch"));
  EXPECT_FALSE(std::filesystem::exists(mark));

  ASSERT_TRUE(command->release());
  EXPECT_EQ(WEXITSTATUS(status_of(*command)), 0);
  EXPECT_TRUE(std::filesystem::remove(mark));
}

TEST(LauncherTest, TheCommandsOwnStatusIsKept) {
  auto command = HeldCommand::start("/bin/sh", {"sh", "-c", "exit 42"}, std::nullopt);
  ASSERT_TRUE(command && command->release());
  EXPECT_EQ(WEXITSTATUS(status_of(*command)), 42);
}

TEST(LauncherTest, ACommandThatCannotRunSaysWhy) {
  auto command = HeldCommand::start("/nonexistent", {"nonexistent"}, std::nullopt);
  ASSERT_TRUE(command);
  auto released = command->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code(), Errc::not_found);
}

TEST(LauncherTest, ACommandThatIsNeverReleasedEnds) {
  pid_t pid = 0;
  {
    auto command = HeldCommand::start("/bin/sleep", {"sleep", "1000"}, std::nullopt);
    ASSERT_TRUE(command);
    pid = command->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(LauncherTest, SignalsThatAreBlockedHereAreNotForTheCommand) {
  sigset_t set, before;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &before);
  auto command = HeldCommand::start("/bin/sh", {"sh", "-c", "kill -TERM $$; exit 3"}, std::nullopt);
  ASSERT_TRUE(command && command->release());
  int status = status_of(*command);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST(ProcessTest, KnowsThisOne) {
  auto self = find_process(::getpid());
  ASSERT_TRUE(self) << self.error().message();
  EXPECT_EQ(self->key.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(self->key.start_time_ns, 0u);
  EXPECT_EQ(self->exe, std::filesystem::read_symlink("/proc/self/exe"));
}

TEST(ProcessTest, SaysWhenThereIsNone) {
  auto none = find_process(0x3fffffff);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::gone);
}

TEST(ProcessTest, ResolvesCommandsAsTheShellDoes) {
  auto shell = resolve_command("sh");
  ASSERT_TRUE(shell);
  EXPECT_TRUE(shell->path.ends_with("/sh")) << shell->path;
  EXPECT_EQ(resolve_command("no-such-command-here").error().code(), Errc::not_found);
  EXPECT_EQ(resolve_command("/proc/self/status").error().code(), Errc::usage);
}

} // namespace
} // namespace mapscope
