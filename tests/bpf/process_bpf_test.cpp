// Twins of process_exec, process_exit and process_fork.
#include <poll.h>
#include <sys/syscall.h>

#include <thread>

#include "support/traced_child.h"

namespace mapscope::testing {
namespace {

class ProcessBpfTest : public BpfTest {
protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (!IsSkipped()) {
      load();
      ASSERT_TRUE(tracer_->watch_processes());
    }
  }
};

TEST_F(ProcessBpfTest, TellsTheExitOfATargetWithItsStatus) {
  HeldChild child{[] { ::_exit(42); }};
  watch(child.pid());
  child.run();

  auto exits = events_of<process_exit_event>();
  ASSERT_EQ(exits.size(), 1u);
  EXPECT_EQ(exits[0].header.tgid, static_cast<std::uint32_t>(child.pid()));
  EXPECT_EQ(WEXITSTATUS(static_cast<int>(exits[0].exit_code)), 42);
}

TEST_F(ProcessBpfTest, IgnoresThreadsThatDieBeforeTheProcess) {
  HeldChild child{[] { std::thread([] {}).join(); }};
  watch(child.pid());
  child.run();

  EXPECT_EQ(events_of<process_exit_event>().size(), 1u);
}

TEST_F(ProcessBpfTest, SaysNothingOfProcessesThatAreNoTargets) {
  HeldChild child{[] { ::execl("/bin/true", "true", nullptr); }};
  child.run();

  EXPECT_TRUE(events().empty());
}

TEST_F(ProcessBpfTest, TheAwaitedExecKeepsWhatIsKnownOfTheImage) {
  HeldChild child{[] { ::execl("/bin/true", "true", nullptr); }};
  std::uint32_t index = watch(child.pid(), {.flags = TARGET_GO | TARGET_AWAITS_EXEC});
  child.run();

  EXPECT_EQ(events_of<process_exec_event>().size(), 1u);
  EXPECT_EQ(tracer_->target_at(index).flags, TARGET_GO | TARGET_WATCHED);
}

TEST_F(ProcessBpfTest, AnotherExecMakesItVoid) {
  HeldChild child{[] { ::execl("/bin/true", "true", nullptr); }};
  std::uint32_t index = watch(child.pid(), {.flags = TARGET_GO});
  child.run();

  auto execs = events_of<process_exec_event>();
  ASSERT_EQ(execs.size(), 1u);
  EXPECT_EQ(execs[0].old_tid, static_cast<std::uint32_t>(child.pid()));
  EXPECT_EQ(tracer_->target_at(index).flags & TARGET_GO, 0u);
}

// The parent forks while it is a target, and the child executes something.
void fork_and_exec() {
  if (::fork() == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  ::wait(nullptr);
}

TEST_F(ProcessBpfTest, ChildrenAreToldWhereTheyAreWanted) {
  HeldChild child{fork_and_exec};
  watch(child.pid(), {.flags = TARGET_FOLLOW});
  child.run();

  std::vector<Event> all = events();
  ASSERT_EQ(all.size(), 4u); // fork, the child's exec and exit, the target's exit
  auto fork = std::get<process_fork_event>(all[0].body);
  EXPECT_EQ(fork.header.tgid, static_cast<std::uint32_t>(child.pid()));
  auto exec = std::get<process_exec_event>(all[1].body);
  EXPECT_EQ(exec.header.tgid, fork.child_tgid);
  EXPECT_EQ(exec.header.target, EVENT_NO_TARGET);
  EXPECT_EQ(std::get<process_exit_event>(all[2].body).header.tgid, fork.child_tgid);
}

TEST_F(ProcessBpfTest, ChildrenAreNotToldWhereTheyAreNot) {
  HeldChild child{fork_and_exec};
  watch(child.pid());
  child.run();

  EXPECT_EQ(events().size(), 1u); // the target's exit
}

bool is_ready(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1;
}

class WakeUpBpfTest : public BpfTest {};

TEST_F(WakeUpBpfTest, TheEndOfATargetWakesTheReaderAndOtherRecordsDoNot) {
  load({.emit_memory_calls = 1});
  HeldChild child{[] {}};
  watch(child.pid());
  watch(::getpid());
  ASSERT_TRUE(tracer_->watch_processes());
  ASSERT_TRUE(tracer_->watch_system_calls());
  ::syscall(SYS_munmap, 1, 0);
  tracer_->unwatch_system_calls();
  EXPECT_FALSE(is_ready(tracer_->wake_fd()));
  EXPECT_GT(tracer_->event_totals()[EVENT_KIND_SYSTEM_CALL].sent, 0u);

  child.run();
  EXPECT_TRUE(is_ready(tracer_->wake_fd()));
  EXPECT_FALSE(events().empty());
  EXPECT_FALSE(is_ready(tracer_->wake_fd()));
}

class EveryExecBpfTest : public BpfTest {};

TEST_F(EveryExecBpfTest, IsToldOfProcessesThatAreNoTargetsAndTheirEndsAreNot) {
  load({.watch_every_exec = 1});
  ASSERT_TRUE(tracer_->watch_processes());
  HeldChild child{[] { ::execl("/bin/true", "true", nullptr); }};
  child.run();

  std::vector<Event> of_child;
  for (const Event &event : events())
    if (event.header.tgid == static_cast<std::uint32_t>(child.pid()))
      of_child.push_back(event);
  ASSERT_EQ(of_child.size(), 1u);
  EXPECT_EQ(of_child[0].header.target, EVENT_NO_TARGET);
  EXPECT_STREQ(std::get<process_exec_event>(of_child[0].body).path, "/bin/true");
}

} // namespace
} // namespace mapscope::testing
