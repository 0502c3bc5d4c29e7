// Go programs of this host as the finder sees them come, execute something else, and go; with the
// kernel's word of each exec and without.
#include "pipeline/daemon/process_finder.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handle.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

std::string workload(const std::string &name, const std::string &mode = "plain") {
  return fmt::format("{}/build/workloads/1.27.4/{}/{}", SOURCE_DIRECTORY, mode, name);
}

// A program with a pipe as its standard input, from which nothing comes unless it is sent.
class Running {
public:
  explicit Running(const std::vector<std::string> &words) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd theirs{ends[0]};
    input_ = Fd{ends[1]};
    std::vector<char *> arguments;
    for (const std::string &word : words)
      arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ),
              0)
        << words[0];
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Running() { end(); }
  Running(const Running &) = delete;
  Running &operator=(const Running &) = delete;

  void end() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = 0;
  }
  void send_byte() { EXPECT_EQ(::write(input_.get(), "\n", 1), 1); }
  pid_t pid() const { return pid_; }

private:
  Fd input_;
  pid_t pid_ = 0;
};

class FinderBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (!std::filesystem::exists(workload("exec")))
      GTEST_SKIP() << workload("exec") << " is not built (tools/build-workloads)";
    if (::geteuid() != 0)
      GTEST_SKIP() << "looking at processes of others needs root";
  }

  void start(const WatchConfig &config = {}) {
    finder_ = ProcessFinder::start(config, binaries_, news_);
    for (int turn = 0; turn < 100 && !finder_->is_complete(); ++turn)
      look();
    EXPECT_TRUE(finder_->is_complete());
  }

  void look() {
    ProcessChanges changes = finder_->look();
    for (const ProcessKey key : changes.ended)
      std::erase_if(watched_, [&](const FoundProcess &found) {
        ended_[key.pid] += found.process.key == key ? 1U : 0U;
        return found.process.key == key;
      });
    for (FoundProcess &found : changes.appeared) {
      EXPECT_EQ(find(static_cast<pid_t>(found.process.key.pid)), nullptr) << "it appeared twice";
      watched_.push_back(std::move(found));
    }
  }

  // Looks again and again until it holds.
  bool comes_true(const std::function<bool()> &condition) {
    for (int turn = 0; turn < 300 && !condition(); ++turn) {
      look();
      std::this_thread::sleep_for(50ms);
    }
    return condition();
  }

  const FoundProcess *find(pid_t pid) const {
    auto found = std::ranges::find_if(watched_, [&](const FoundProcess &process) {
      return process.process.key.pid == static_cast<std::uint32_t>(pid);
    });
    return found == watched_.end() ? nullptr : &*found;
  }
  bool is_found(pid_t pid) {
    return comes_true([&] { return find(pid) != nullptr; });
  }
  bool is_lost(pid_t pid) {
    return comes_true([&] { return find(pid) == nullptr; });
  }

  BinaryCache binaries_{{}, CacheLimits{}};
  std::vector<FoundProcess> watched_;
  std::map<std::uint32_t, std::size_t> ended_; // how often, by pid
  ExecNews news_ = ExecNews::from_kernel;
  std::unique_ptr<ProcessFinder> finder_;
};

class ProcessFinderBpfTest : public FinderBpfTest, public ::testing::WithParamInterface<ExecNews> {
protected:
  ProcessFinderBpfTest() { news_ = GetParam(); }
};

TEST_P(ProcessFinderBpfTest, WhatRunsIsFoundWithItsNameAndItsEndIsTold) {
  Running program{{workload("growth"), "-wait", "-n", "12345"}};
  start();
  ASSERT_TRUE(is_found(program.pid()));
  const FoundProcess &found = *find(program.pid());
  EXPECT_EQ(found.process.exe, std::filesystem::canonical(workload("growth")));
  EXPECT_TRUE(found.process.command_line.ends_with("growth -wait -n 12345"));
  EXPECT_EQ(found.process.uid, 0u);
  EXPECT_EQ(found.process.user, "root");
  EXPECT_TRUE(found.process.cgroup.path.starts_with('/'));
  EXPECT_EQ(found.problem, "");
  ASSERT_NE(found.binary, nullptr);
  EXPECT_EQ(found.binary->facts().go_version, "go1.27.4");
  EXPECT_EQ(find(::getpid()), nullptr); // no Go program

  program.end();
  EXPECT_TRUE(is_lost(program.pid()));
  EXPECT_EQ(finder_->figures().feed_problem.empty(), GetParam() == ExecNews::from_kernel);
}

TEST_F(FinderBpfTest, WhatStartsLaterIsFoundAndSharesItsBinary) {
  start();
  Running one{{workload("growth", "stripped"), "-wait"}};
  Running two{{workload("growth", "stripped"), "-wait"}};
  ASSERT_TRUE(is_found(one.pid()));
  ASSERT_TRUE(is_found(two.pid()));
  EXPECT_EQ(find(one.pid())->binary, find(two.pid())->binary);
}

TEST_P(ProcessFinderBpfTest, AnExecEndsWhatItWasAndBeginsAnotherUnderTheSameKey) {
  start();
  const std::string self = workload("exec");
  Running program{{self, "-wait", "--", self, "-wait", "--", "/bin/sleep", "100"}};
  ASSERT_TRUE(is_found(program.pid()));
  const ProcessKey key = find(program.pid())->process.key;
  ASSERT_EQ(ended_[key.pid], 0u);

  program.send_byte(); // becomes itself anew
  ASSERT_TRUE(comes_true([&] { return ended_[key.pid] == 1 && find(program.pid()) != nullptr; }));
  EXPECT_EQ(find(program.pid())->process.key, key);
  EXPECT_TRUE(find(program.pid())->process.command_line.ends_with("exec -wait -- /bin/sleep 100"));
  EXPECT_EQ(find(program.pid())->process.command_line.find("--"),
            find(program.pid())->process.command_line.rfind("--")); // no longer twice

  program.send_byte(); // becomes sleep
  EXPECT_TRUE(is_lost(program.pid()));
}

TEST_F(FinderBpfTest, AThreadOtherThanTheFirstExecutesAsWell) {
  start();
  Running program{{workload("exec"), "-wait", "-thread", "--", workload("growth"), "-wait"}};
  ASSERT_TRUE(is_found(program.pid()));
  program.send_byte();
  EXPECT_TRUE(comes_true([&] {
    const FoundProcess *found = find(program.pid());
    return found != nullptr && found->process.exe.ends_with("/growth");
  }));
}

TEST_F(FinderBpfTest, WatchListsDecideAndMayChange) {
  Running growth{{workload("growth"), "-wait"}};
  Running deletes{{workload("deletes"), "-wait"}};
  WatchConfig only_growth;
  only_growth.include.push_back({.exe = {"*/growth"}});
  start(only_growth);
  ASSERT_TRUE(is_found(growth.pid()));
  EXPECT_EQ(find(deletes.pid()), nullptr);
  EXPECT_GE(finder_->figures().excluded, 1u);

  WatchConfig no_growth;
  no_growth.exclude.push_back({.command_line = {"*growth -wait"}});
  finder_->set_watch(no_growth);
  EXPECT_TRUE(is_found(deletes.pid()));
  EXPECT_TRUE(is_lost(growth.pid()));
}

TEST_F(FinderBpfTest, NoMoreThanMayAreWatchedAndRoomIsUsed) {
  WatchConfig one;
  one.include.push_back({.exe = {"*/growth"}, .command_line = {"*-n 777"}});
  one.processes_max = 1;
  Running first{{workload("growth"), "-wait", "-n", "777"}};
  start(one);
  ASSERT_TRUE(is_found(first.pid()));
  Running second{{workload("growth"), "-wait", "-n", "777"}};
  ASSERT_TRUE(comes_true([&] { return finder_->figures().left_out == 1; }));
  EXPECT_EQ(find(second.pid()), nullptr);
  first.end();
  EXPECT_TRUE(is_found(second.pid()));
  EXPECT_EQ(finder_->figures().left_out, 0u);
}

TEST_P(ProcessFinderBpfTest, ADeletedExecutableKeepsItsName) {
  const std::filesystem::path copy =
      std::filesystem::path{::testing::TempDir()} / fmt::format("deleted-{}", ::getpid());
  std::filesystem::copy_file(workload("growth"), copy,
                             std::filesystem::copy_options::overwrite_existing);
  Running program{{copy, "-wait"}};
  start();
  ASSERT_TRUE(is_found(program.pid()));
  std::filesystem::remove(copy);
  Running another{{workload("deletes"), "-wait"}};
  ASSERT_TRUE(is_found(another.pid())); // a scan or two later
  const FoundProcess *found = find(program.pid());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->process.exe, copy);
}

TEST_F(FinderBpfTest, AContainerIsSeenFromOutside) {
  if (std::system("unshare --mount true") != 0) // in a chroot, say
    GTEST_SKIP() << "no mount namespace can be made here";
  start();
  Running container{{"/usr/bin/unshare", "--fork", "--pid", "--mount-proc", "--kill-child",
                     workload("growth"), "-wait", "-n", "4242"}};
  auto inside = [&]() -> const FoundProcess * {
    auto found = std::ranges::find_if(watched_, [](const FoundProcess &process) {
      return process.process.command_line.ends_with("-wait -n 4242") &&
             process.process.exe.ends_with("/growth");
    });
    return found == watched_.end() ? nullptr : &*found;
  };
  ASSERT_TRUE(comes_true([&] { return inside() != nullptr; }));
  const auto pid = static_cast<pid_t>(inside()->process.key.pid);
  EXPECT_NE(pid, 1);
  // As this namespace numbers it, it is the child of unshare.
  std::ifstream children{fmt::format("/proc/{0}/task/{0}/children", container.pid())};
  pid_t child = 0;
  children >> child;
  EXPECT_EQ(pid, child);
  container.end();
  EXPECT_TRUE(is_lost(pid));
}

INSTANTIATE_TEST_SUITE_P(News, ProcessFinderBpfTest,
                         ::testing::Values(ExecNews::from_kernel, ExecNews::none),
                         [](const auto &parameter) {
                           return parameter.param == ExecNews::from_kernel ? "FromKernel"
                                                                           : "Scanning";
                         });

TEST_F(FinderBpfTest, ShortLivedProcessesAreCountedAndNeverOpened) {
  start();
  look();
  for (int burst = 0; burst < 5; ++burst) {
    for (int i = 0; i < 200; ++i) {
      char name[] = "growth", no_such_flag[] = "-no-such-flag";
      char *arguments[] = {name, no_such_flag, nullptr};
      const bool is_go = i % 20 == 0;
      pid_t pid = 0;
      posix_spawn_file_actions_t actions;
      ::posix_spawn_file_actions_init(&actions);
      ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
      ASSERT_EQ(::posix_spawn(&pid, is_go ? workload("clear", "pie").c_str() : "/bin/true",
                              &actions, nullptr, arguments, environ),
                0);
      ::posix_spawn_file_actions_destroy(&actions);
      ::waitpid(pid, nullptr, 0);
    }
    look();
  }
  look();
  EXPECT_TRUE(std::ranges::none_of(watched_, [](const FoundProcess &found) {
    return found.process.exe.ends_with("pie/clear");
  }));
  if (finder_->figures().feed_problem.empty()) {
    EXPECT_GE(finder_->figures().execs_seen, 1000u);
  }
}

} // namespace
} // namespace mapscope
