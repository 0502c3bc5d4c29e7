// The daemon's watcher of events against Go programs that know what they do: what it hears of them
// is true, and it leaves nothing behind.
#include "pipeline/daemon/event_watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "attach/process.h"
#include "base/clock.h"
#include "base/handle.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s; // for what takes some seconds

// Of tools/build-workloads; nothing where it is not built.
std::optional<std::string> workload(const std::string &version, const std::string &name) {
  std::string path = fmt::format("{}/build/workloads/{}/plain/{}", SOURCE_DIRECTORY, version, name);
  return std::filesystem::exists(path) ? std::optional{path} : std::nullopt;
}

// A child with a pipe at its standard input; what it prints goes to `output`.
class Program {
public:
  Program(const std::string &path, std::vector<std::string> arguments,
          const std::string &output = "/dev/null") {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return;
    Fd theirs{ends[0]};
    input_ = Fd{ends[1]};
    arguments.insert(arguments.begin(), path);
    std::vector<char *> words;
    for (std::string &argument : arguments)
      words.push_back(argument.data());
    words.push_back(nullptr);
    Fd out{::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    pid_ = ::fork();
    if (pid_ != 0)
      return;
    ::dup2(theirs.get(), 0);
    ::dup2(out.get(), 1);
    ::dup2(out.get(), 2);
    ::execv(path.c_str(), words.data());
    ::_exit(127);
  }
  ~Program() { end(); }
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  pid_t pid() const { return pid_; }
  void let_go() { // of one that was started with -wait
    [[maybe_unused]] ssize_t written = ::write(input_.get(), "\n", 1);
  }
  void end() {
    if (pid_ <= 0)
      return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

private:
  Fd input_;
  pid_t pid_ = -1;
};

// What a watcher says, from its thread.
class Heard {
public:
  std::function<void(RuleInput)> listener() {
    return [this](RuleInput input) {
      const std::scoped_lock lock{mutex_};
      inputs_.push_back(std::move(input));
      changed_.notify_all();
    };
  }
  // The first one of its kind that `wanted` is true of; nothing: it did not come.
  template <typename Sample>
  std::optional<Sample> wait_for(const std::function<bool(const Sample &)> &wanted =
                                     [](const Sample &) { return true; }) {
    std::unique_lock lock{mutex_};
    std::optional<Sample> found;
    changed_.wait_for(lock, kPatience, [&] {
      for (const RuleInput &input : inputs_)
        if (const auto *sample = std::get_if<Sample>(&input); sample && wanted(*sample))
          found = *sample;
      return found.has_value();
    });
    return found;
  }
  std::size_t count() {
    const std::scoped_lock lock{mutex_};
    return inputs_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<RuleInput> inputs_;
};

bool wait_until(const std::function<bool()> &is_true) {
  const std::uint64_t end = now_ns() + std::uint64_t{60'000'000'000};
  while (!is_true()) {
    if (now_ns() > end)
      return false;
    ::usleep(10'000);
  }
  return true;
}

// Descriptors of this process whose name has that in it.
std::size_t descriptors(const std::string &with) {
  std::size_t count = 0;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd"))
    if (std::filesystem::read_symlink(entry.path(), error).string().contains(with))
      ++count;
  return count;
}

class EventWatcherBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "placing probes needs root";
    tuning_.rate_window = 1500ms;
    tuning_.rate_window_max = 20s;
    tuning_.moments_min = 4;
    tuning_.look = 20ms;
    tuning_.pause = 100ms;
    tuning_.placing_share = 0.1;
    tuning_.new_process = 0ms; // nobody is verified from its start, but where a test says so
  }

  void start(const RuleNeeds &needs) {
    watcher_ = EventWatcher::start(events_, verify_, binaries_, heard_.listener(), tuning_);
    watcher_->set_needs(needs);
  }
  std::optional<FoundProcess> found(pid_t pid) {
    auto process = find_process(pid);
    if (!process)
      return std::nullopt;
    auto binary = binaries_.open(std::move(process->executable), process->exe);
    if (!binary)
      return std::nullopt;
    FoundProcess found;
    found.process.key = process->key;
    found.process.exe = process->exe;
    found.binary = *binary;
    return found;
  }
  // Once it runs `name`, and not the image of this test any more.
  std::optional<FoundProcess> add(pid_t pid, const std::string &path) {
    wait_until([&] {
      auto process = find_process(pid);
      return process && process->exe == path;
    });
    auto process = found(pid);
    if (process)
      watcher_->add(*process);
    return process;
  }
  WatchedProcess shown(const FoundProcess &process) {
    WatchedProcess watched;
    watched.process = process.process;
    watcher_->describe(watched);
    return watched;
  }
  bool wait_for_probes(const FoundProcess &process) {
    return wait_until([&] { return shown(process).probes_attached > 0; });
  }

  EventTuning tuning_;
  EventsConfig events_;
  VerifyConfig verify_{.at_start = Seconds{0}, .every = Seconds{1}, .for_ = Seconds{1}};
  BinaryCache binaries_{{}, CacheLimits{}}; // of a process with threads, as in the daemon
  Heard heard_;
  std::unique_ptr<EventWatcher> watcher_;
};

TEST_F(EventWatcherBpfTest, NothingIsLoadedThatNoRuleNeeds) {
  auto path = workload("1.27.4", "bench_hot");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds bench_hot";
  Program program{*path, {"-rounds", "1000000"}};
  start({});
  ASSERT_TRUE(add(program.pid(), *path));
  ::usleep(300'000);
  EXPECT_EQ(descriptors("bpf"), 0u);
  EXPECT_EQ(heard_.count(), 0u);
}

class EventRatesBpfTest : public EventWatcherBpfTest,
                          public ::testing::WithParamInterface<const char *> {};

// bench_growth makes maps of 1000 entries without a hint: swiss ones grow to a table, six times
// double it and split it once, classic ones have 1, 2, 4, .. 256 buckets: both eight times.
TEST_P(EventRatesBpfTest, RatesOfGrowthAndCreationHaveTheProgramsLinesAndProportion) {
  auto path = workload(GetParam(), "bench_growth");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds bench_growth";
  Program program{*path, {"-n", "1000", "-k", "200", "-rounds", "1000000"}};
  start({.growth_rates = true, .creation_rates = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process);
  auto sample = heard_.wait_for<RateSample>([](const RateSample &rates) {
    return std::ranges::any_of(rates.sites, &SiteRate::creations) && rates.hits > 500;
  });
  ASSERT_TRUE(sample) << watcher_->figures().problem;
  EXPECT_EQ(sample->process, process->process.key);
  EXPECT_GT(sample->watched_ns, 0u);
  EXPECT_EQ(sample->lost, 0u);
  double growths = 0, creations = 0, error = 0;
  for (const SiteRate &site : sample->sites) {
    EXPECT_EQ(site.site.function, "main.build");
    EXPECT_TRUE(site.site.file.ends_with("/bench_growth/main.go")) << site.site.file;
    growths += site.growths_per_minute / 60;
    creations += site.creations_per_second;
    error += site.relative_error;
    if (site.growths > 0) {
      EXPECT_EQ(site.type, "map[string]int");
      EXPECT_EQ(site.slots_max, 2048u);
    }
  }
  EXPECT_NEAR(growths / creations, 8, 8 * (error + 0.1));
  EXPECT_TRUE(wait_until([&] { return shown(*process).probe_hits >= sample->hits; }));
  EXPECT_GT(shown(*process).flashes, 0u);
  EXPECT_GT(shown(*process).probe_cost_ns, 0u);
}
INSTANTIATE_TEST_SUITE_P(Releases, EventRatesBpfTest,
                         ::testing::Values("1.17.13", "1.22.12", "1.27.4"), [](const auto &param) {
                           std::string name = param.param;
                           std::ranges::replace(name, '.', '_');
                           return "Go" + name;
                         });

TEST_F(EventWatcherBpfTest, AProcessThatDoesNotRunIsNeverWatchedForRates) {
  auto path = workload("1.27.4", "growth");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds growth";
  Program program{*path, {"-wait"}};
  start({.growth_rates = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process);
  ::usleep(700'000);
  EXPECT_EQ(shown(*process).flashes, 0u);
}

TEST_F(EventWatcherBpfTest, ConcurrentUseIsToldWithMessageTypeAndLine) {
  auto path = workload("1.27.4", "concurrent");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds concurrent";
  Program program{*path, {"-wait"}};
  start({.misuse = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process && wait_for_probes(*process)) << watcher_->figures().problem;
  program.let_go();
  auto sample = heard_.wait_for<MisuseSample>();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->process, process->process.key);
  EXPECT_EQ(sample->message, "concurrent map writes");
  EXPECT_TRUE(sample->is_fatal);
  EXPECT_EQ(sample->type, "map[int]main.session");
  ASSERT_TRUE(sample->site);
  EXPECT_TRUE(sample->site->function == "main.login" || sample->site->function == "main.visit")
      << sample->site->function;
  EXPECT_NE(sample->goroutine, 0u);
}

TEST_F(EventWatcherBpfTest, AWriteToANilMapIsToldUpToALimitAndTheRestIsCounted) {
  auto path = workload("1.22.12", "nilwrite");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds nilwrite";
  tuning_.misuses_per_minute = 2;
  Program program{*path, {"-wait", "-k", "5"}};
  start({.misuse = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process && wait_for_probes(*process));
  program.let_go();
  auto sample = heard_.wait_for<MisuseSample>();
  ASSERT_TRUE(sample);
  EXPECT_FALSE(sample->is_fatal);
  EXPECT_EQ(sample->message, "assignment to entry in nil map");
  ASSERT_TRUE(sample->site);
  EXPECT_EQ(sample->site->function, "main.write");
  EXPECT_TRUE(wait_until([&] {
    watcher_->remove(process->process.key);
    return watcher_->figures().lost["misuse_repeats_not_told"] == 3;
  }));
}

TEST_F(EventWatcherBpfTest, AProgramThatPanicsAllTheTimeIsLeftAlone) {
  auto path = workload("1.27.4", "nilwrite");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds nilwrite";
  tuning_.misuse_hits_per_second = 100;
  Program program{*path, {"-wait", "-k", "100000000"}};
  start({.misuse = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process && wait_for_probes(*process));
  program.let_go();
  EXPECT_TRUE(wait_until([&] { return shown(*process).probes_attached == 0; }));
  EXPECT_TRUE(wait_until([&] { return watcher_->figures().lost["misuse_probes_paused"] == 1; }));
}

TEST_F(EventWatcherBpfTest, WhatDoesNotFitInTheRingIsCounted) {
  auto path = workload("1.27.4", "nilwrite");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds nilwrite";
  tuning_.misuse_ring_bytes = 4096;
  Program program{*path, {"-wait", "-k", "100000"}};
  start({.misuse = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process && wait_for_probes(*process));
  program.let_go();
  EXPECT_TRUE(heard_.wait_for<MisuseSample>());
  EXPECT_TRUE(wait_until([&] { return watcher_->figures().lost["misuse_ring_full"] > 0; }));
}

TEST_F(EventWatcherBpfTest, AProgramThatMixesMapsAndFilesIsCleanAndNothingStaysAttached) {
  auto path = workload("1.27.4", "quiet");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds quiet";
  verify_.every = Seconds{3600};
  verify_.at_start = Seconds{2};
  tuning_.new_process = 60s;
  Program program{*path, {"-wait", "-rounds", "1000000"}};
  start({.verify = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process);
  program.let_go();
  EXPECT_TRUE(wait_until([&] { return watcher_->figures().system_calls_attached; }));
  auto sample = heard_.wait_for<VerifySample>();
  ASSERT_TRUE(sample) << watcher_->figures().problem;
  EXPECT_EQ(sample->verdict, "clean") << fmt::format("{}", fmt::join(sample->reasons, " "));
  EXPECT_GT(sample->operations, 0u);
  EXPECT_GT(sample->duration_ns, 1'000'000'000u);
  EXPECT_TRUE(sample->violations.empty());
  EXPECT_TRUE(wait_until([&] { return descriptors("bpf") == 0; }));
  EXPECT_FALSE(watcher_->figures().system_calls_attached);
  EXPECT_EQ(watcher_->figures().verify_windows, 1u);
  // It is told before it is shown.
  EXPECT_TRUE(wait_until([&] { return shown(*process).verdict == "clean"; }));
  EXPECT_EQ(shown(*process).verifications, 1u);
}

TEST_F(EventWatcherBpfTest, ProcessesThatAreDueTogetherShareOneWindow) {
  auto path = workload("1.27.4", "quiet");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds quiet";
  Program one{*path, {"-wait"}}, other{*path, {"-wait"}};
  start({.verify = true});
  auto first = add(one.pid(), *path), second = add(other.pid(), *path);
  ASSERT_TRUE(first && second);
  for (const auto &process : {first, second})
    EXPECT_TRUE(heard_.wait_for<VerifySample>(
        [&](const VerifySample &sample) { return sample.process == process->process.key; }));
  EXPECT_LE(watcher_->figures().verify_windows, 2u); // a second one may be open by now
}

TEST_F(EventWatcherBpfTest, AProcessThatEndsInItsWindowGetsAVerdictOfWhatWasSeen) {
  auto path = workload("1.27.4", "quiet");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds quiet";
  verify_ = {.at_start = Seconds{60}, .every = Seconds{0}, .for_ = Seconds{1}};
  tuning_.new_process = 60s;
  Program program{*path, {"-wait", "-rounds", "3"}};
  start({.verify = true});
  ASSERT_TRUE(add(program.pid(), *path));
  ASSERT_TRUE(wait_until([&] { return watcher_->figures().system_calls_attached; }));
  program.let_go();
  auto sample = heard_.wait_for<VerifySample>();
  ASSERT_TRUE(sample);
  EXPECT_LT(sample->duration_ns, 50'000'000'000u);
  EXPECT_NE(sample->verdict, "violated");
}

TEST_F(EventWatcherBpfTest, ManyAdditionsAndRemovalsLeaveNoDescriptor) {
  auto path = workload("1.27.4", "bench_growth");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds bench_growth";
  Program program{*path, {"-n", "10", "-rounds", "1000000"}};
  start({.growth_rates = true, .creation_rates = true, .misuse = true});
  auto process = add(program.pid(), *path);
  ASSERT_TRUE(process && wait_for_probes(*process));
  ASSERT_TRUE(wait_until([&] { return shown(*process).flashes > 0; }));
  auto is_at_rest = [&] { return descriptors("bpf_link") <= 2; };
  for (int turn = 0; turn < 24; ++turn) {
    watcher_->remove(process->process.key);
    watcher_->add(*process); // as after an exec
  }
  ASSERT_TRUE(wait_for_probes(*process));
  EXPECT_TRUE(wait_until(is_at_rest));
  watcher_->stop();
  watcher_.reset();
  EXPECT_EQ(descriptors("bpf"), 0u);
}

TEST_F(EventWatcherBpfTest, ATargetThatDiesWhileItIsWatchedHarmsNobody) {
  auto path = workload("1.27.4", "bench_growth");
  if (!path)
    GTEST_SKIP() << "tools/build-workloads builds bench_growth";
  start({.growth_rates = true, .creation_rates = true, .misuse = true, .verify = true});
  Program lasting{*path, {"-n", "100", "-rounds", "1000000"}};
  auto stays = add(lasting.pid(), *path);
  ASSERT_TRUE(stays);
  for (int turn = 0; turn < 4; ++turn) {
    Program program{*path, {"-n", "100", "-rounds", "1000000"}};
    auto process = add(program.pid(), *path);
    ASSERT_TRUE(process);
    EXPECT_TRUE(wait_until([&] { return shown(*process).flashes > 0; }));
    program.end();
    watcher_->remove(process->process.key);
  }
  const std::uint64_t flashes = shown(*stays).flashes;
  EXPECT_TRUE(wait_until([&] { return shown(*stays).flashes > flashes; }));
}

} // namespace
} // namespace mapscope
