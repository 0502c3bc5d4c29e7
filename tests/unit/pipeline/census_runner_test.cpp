// The runner of censuses, against programs that say what is in their heaps.
#include "pipeline/daemon/census_runner.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "attach/process.h"
#include "base/process_files.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;
using testing::CensusProgram;

constexpr auto kGenerous = 120s; // nothing here depends on how long it takes

std::string program_path(const std::string &version, const std::string &name) {
  return fmt::format("{}/build/workloads/{}/plain/{}", SOURCE_DIRECTORY, version, name);
}

// Samples as they come.
class Heard {
public:
  void take(CensusSample sample) {
    const std::lock_guard lock{mutex_};
    samples_.push_back(std::move(sample));
    came_.notify_all();
  }
  std::vector<CensusSample> all() const {
    const std::lock_guard lock{mutex_};
    return samples_;
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    return came_.wait_for(lock, kGenerous, [&] { return samples_.size() >= count; });
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<CensusSample> samples_;
};

class CensusRunnerTest : public ::testing::Test {
protected:
  void start_program(const std::string &version, const std::string &name,
                     const std::vector<std::string> &arguments) {
    const std::string path = program_path(version, name);
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << name << " is not built with Go " << version
                   << "; tools/build-workloads does that";
    program = std::make_unique<CensusProgram>(path, arguments);
    ASSERT_TRUE(program->is_ready());
    auto info = find_process(program->pid());
    ASSERT_TRUE(info) << info.error().message();
    auto binary = binaries.open(std::move(info->executable), info->exe);
    ASSERT_TRUE(binary) << binary.error().message();
    found = {.process = {.key = info->key, .exe = info->exe}, .binary = *binary};
  }
  void start_runner(const CensusNeeds &needs) {
    CensusConfig config;
    config.snapshot_directory.clear();
    runner = CensusRunner::start(config, {},
                                 [this](CensusSample sample) { heard.take(std::move(sample)); });
    runner->set_needs(needs);
  }
  WatchedProcess described() const {
    WatchedProcess watched{.process = found.process};
    runner->describe(watched);
    return watched;
  }
  // The runtime answers this one and goes on; time passes for the program.
  void let_it_run() const {
    const auto before = read_cpu_ns();
    while (read_cpu_ns() == before) {
      ASSERT_EQ(::kill(program->pid(), SIGURG), 0);
      std::this_thread::sleep_for(1ms);
    }
  }
  std::uint64_t read_cpu_ns() const {
    clockid_t clock = 0;
    timespec time{};
    EXPECT_EQ(::clock_getcpuclockid(program->pid(), &clock), 0);
    EXPECT_EQ(::clock_gettime(clock, &time), 0);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
  }
  void stop_program() const {
    ASSERT_EQ(::kill(program->pid(), SIGSTOP), 0);
    // Each thread stops by itself.
    for (const auto &task :
         std::filesystem::directory_iterator{fmt::format("/proc/{}/task", program->pid())}) {
      const pid_t thread = std::stoi(task.path().filename());
      for (auto stat = read_process_stat(thread); stat && stat->state != 'T';
           stat = read_process_stat(thread))
        std::this_thread::sleep_for(1ms);
    }
  }

  BinaryCache binaries;
  std::unique_ptr<CensusProgram> program;
  FoundProcess found;
  Heard heard;
  std::unique_ptr<CensusRunner> runner;
};

class CensusRunnerTruthTest : public CensusRunnerTest,
                              public ::testing::WithParamInterface<const char *> {};

TEST_P(CensusRunnerTruthTest, ASampleSaysWhatTheProgramSays) {
  start_program(GetParam(), "census", {"-n", "2000"});
  if (IsSkipped() || HasFatalFailure())
    return;
  constexpr std::uint64_t kEntriesMin = 100;
  start_runner({.census = true, .min_entries = kEntriesMin, .limits = true});
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  ASSERT_EQ(heard.all().size(), 1U);
  const CensusSample sample = heard.all().front();
  EXPECT_EQ(sample.process, found.process.key);
  EXPECT_FALSE(sample.is_unchanged);
  std::uint64_t entries = 0, large = 0;
  for (const auto &[address, map] : program->maps) {
    entries += map.len;
    large += map.len >= kEntriesMin;
  }
  // The runtime and the standard library have some, of few entries.
  EXPECT_GE(sample.map_entries, entries);
  EXPECT_LE(sample.map_entries, entries + 2000);
  EXPECT_GE(sample.map_bytes, program->bytes / 100 * 99);
  EXPECT_GE(sample.maps.size(), large);
  std::uint64_t seen = 0;
  for (const SampledMap &map : sample.maps) {
    EXPECT_GE(map.len, kEntriesMin);
    const auto truth = program->maps.find(map.address.value);
    if (truth == program->maps.end()) {
      // Of a header and its copy one is told, and not always the right one.
      const auto look = program->noise.find(map.address.value);
      seen += look != program->noise.end() && look->second == "copy";
      continue;
    }
    ++seen;
    EXPECT_EQ(map.len, truth->second.len);
    EXPECT_EQ(map.slots, truth->second.slots);
  }
  EXPECT_EQ(seen, large);
  EXPECT_GT(sample.limits.resident_bytes, program->bytes);

  const WatchedProcess watched = described();
  EXPECT_EQ(watched.state, WatchState::watched);
  ASSERT_TRUE(watched.census);
  EXPECT_EQ(watched.census->maps.size(), CensusConfig{}.maps_shown);
  EXPECT_TRUE(std::ranges::is_sorted(watched.census->maps, std::greater{}, &SampledMap::bytes));
  EXPECT_EQ(watched.census_count, 1U);
  EXPECT_GT(watched.census_last_cpu_ns, 0U);
  // More where a look costs more than 0.3 s of a processor, as on slow machines.
  EXPECT_GE(watched.interval_seconds, 60);
  EXPECT_EQ(watched.go_version, "go" + std::string{GetParam()});
}

INSTANTIATE_TEST_SUITE_P(Releases, CensusRunnerTruthTest, ::testing::Values("1.22.12", "1.27.4"),
                         [](const auto &release) {
                           std::string name = release.param;
                           std::ranges::replace(name, '.', '_');
                           return "Go" + name;
                         });

TEST_F(CensusRunnerTest, WhatHasNotRunIsUnchangedAndNotLookedAtAgain) {
  start_program("1.27.4", "census", {"-n", "500"});
  if (IsSkipped() || HasFatalFailure())
    return;
  stop_program();
  start_runner({.census = true, .min_entries = 100});
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  const auto samples = heard.all();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_FALSE(samples[0].is_unchanged);
  EXPECT_TRUE(samples[1].is_unchanged);
  EXPECT_GT(samples[1].time_ns, samples[0].time_ns);
  EXPECT_EQ(samples[1].map_bytes, samples[0].map_bytes);
  EXPECT_EQ(samples[1].maps.size(), samples[0].maps.size());
  EXPECT_EQ(described().census_skipped, 1U);
  EXPECT_EQ(runner->figures().skipped, 1U);

  ::kill(program->pid(), SIGCONT);
  let_it_run();
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  EXPECT_FALSE(heard.all().at(2).is_unchanged) << "it ran, if only for a moment";
}

TEST_F(CensusRunnerTest, WhoNeedsMoreThanBeforeIsToldMoreOfWhatHasNotRun) {
  start_program("1.27.4", "census", {"-n", "500"});
  if (IsSkipped() || HasFatalFailure())
    return;
  stop_program();
  start_runner({.census = true, .min_entries = 1'000'000});
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  runner->set_needs({.census = true, .min_entries = 100});
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  const auto samples = heard.all();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_TRUE(samples[0].maps.empty());
  EXPECT_FALSE(samples[1].is_unchanged);
  EXPECT_FALSE(samples[1].maps.empty());
  ::kill(program->pid(), SIGCONT);
}

TEST_F(CensusRunnerTest, NamesOfLargeMapsStayFromOneLookToTheNext) {
  start_program("1.27.4", "owners", {});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true, .min_bytes = 1});
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  let_it_run();
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  const auto samples = heard.all();
  ASSERT_EQ(samples.size(), 2U);
  ASSERT_FALSE(samples[1].is_unchanged);
  std::map<std::uint64_t, SampledMap> before;
  for (const SampledMap &map : samples[0].maps)
    before[map.address.value] = map;
  std::uint64_t owned = 0, same = 0;
  for (const SampledMap &map : samples[1].maps) {
    const auto known = before.find(map.address.value);
    if (known == before.end() || known->second.seed != map.seed)
      continue;
    ++same;
    owned += !map.owner.empty();
    EXPECT_EQ(map.owner, known->second.owner);
    EXPECT_EQ(map.type, known->second.type);
    EXPECT_EQ(map.site, known->second.site);
  }
  EXPECT_GT(same, 0U);
  EXPECT_GT(owned, same / 2) << "the walk of the first look told who holds them";
}

TEST_F(CensusRunnerTest, TheReportAndTheProfileAreThoseOfMaps) {
  start_program("1.27.4", "census", {"-n", "200"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true});
  const auto unknown = runner->maps_json(found.process.key);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Errc::not_found);
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  const auto json = runner->maps_json(found.process.key);
  ASSERT_TRUE(json) << json.error().message();
  EXPECT_NE((*json)->find("\"schema\":\"mapscope.maps/1\""), std::string::npos) << **json;
  const auto profile = runner->profile(found.process.key);
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->substr(0, 2), "\x1f\x8b");
}

// A limit of its own, which it is far above.
TEST_F(CensusRunnerTest, NearALimitASnapshotIsKeptOnce) {
  ASSERT_EQ(::setenv("GOMEMLIMIT", "2MiB", 1), 0);
  start_program("1.27.4", "census", {"-n", "500"});
  ASSERT_EQ(::unsetenv("GOMEMLIMIT"), 0);
  if (IsSkipped() || HasFatalFailure())
    return;
  const auto directory =
      std::filesystem::temp_directory_path() / fmt::format("mapscope-near-{}", ::getpid());
  start_runner({.census = true, .limits = true});
  CensusConfig config;
  config.snapshot_directory = directory;
  runner->set_config(config, {});
  runner->add(found);
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  let_it_run();
  ASSERT_TRUE(runner->look_at_all(kGenerous));
  const auto samples = heard.all();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_FALSE(samples[1].is_unchanged);
  EXPECT_EQ(samples[0].limits.go_limit_bytes, 2U << 20);
  EXPECT_GT(samples[0].limits.go_used_bytes, 2U << 20);
  std::error_code none;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory, none), {}), 1);
  std::filesystem::remove_all(directory);
}

TEST_F(CensusRunnerTest, WithoutARuleThatNeedsThemThereAreNoCensuses) {
  start_program("1.27.4", "census", {"-n", "10"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = false});
  runner->add(found);
  const auto profile = runner->profile(found.process.key); // comes after what was due by then
  EXPECT_TRUE(profile);
  EXPECT_TRUE(heard.all().empty());
  runner->set_needs({.census = true});
  EXPECT_TRUE(heard.wait_for(1)) << "two seconds after it appeared";
}

TEST_F(CensusRunnerTest, OfWhatHasEndedNothingIsSaid) {
  start_program("1.27.4", "census", {"-n", "10"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true});
  runner->add(found);
  program.reset();
  EXPECT_TRUE(runner->look_at_all(kGenerous));
  EXPECT_TRUE(heard.all().empty());
  EXPECT_EQ(runner->figures().failures, 0U);
  EXPECT_TRUE(described().problem.empty());
  const auto profile = runner->profile(found.process.key);
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code(), Errc::gone);
}

TEST_F(CensusRunnerTest, APidThatIsAnothersByNowIsNotLookedAt) {
  start_program("1.27.4", "census", {"-n", "10"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true});
  found.process.key.start_time_ns -= 10'000'000;
  runner->add(found);
  EXPECT_TRUE(runner->look_at_all(kGenerous));
  EXPECT_TRUE(heard.all().empty());
}

TEST_F(CensusRunnerTest, WhoIsRemovedIsHeardOfNoMore) {
  start_program("1.27.4", "census", {"-n", "10"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true});
  runner->add(found);
  runner->remove(found.process.key);
  EXPECT_TRUE(runner->look_at_all(kGenerous));
  EXPECT_TRUE(heard.all().empty());
  EXPECT_FALSE(runner->maps_json(found.process.key));
}

TEST_F(CensusRunnerTest, ItStopsInTheMiddleOfALook) {
  start_program("1.27.4", "census", {"-n", "20000"});
  if (IsSkipped() || HasFatalFailure())
    return;
  start_runner({.census = true, .min_bytes = 1});
  runner->add(found);
  std::thread looking{[this] { runner->look_at_all(kGenerous); }};
  runner->stop();
  looking.join(); // nobody waits for what does not come
  const std::size_t heard_before = heard.all().size();
  EXPECT_FALSE(runner->profile(found.process.key));
  EXPECT_EQ(heard.all().size(), heard_before);
  EXPECT_LE(heard_before, 1U);
}

// Of this thread, and of those that it starts.
bool drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

TEST_F(CensusRunnerTest, WhatMayNotBeReadIsRefusedWithASentence) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "takes rights from itself, and so needs root";
  start_program("1.27.4", "census", {"-n", "10"});
  if (IsSkipped() || HasFatalFailure())
    return;
  std::thread{[this] {
    ASSERT_TRUE(drop_capabilities());
    start_runner({.census = true});
  }}.join();
  runner->add(found);
  EXPECT_TRUE(runner->look_at_all(kGenerous));
  EXPECT_TRUE(heard.all().empty());
  const WatchedProcess watched = described();
  EXPECT_EQ(watched.state, WatchState::refused);
  EXPECT_NE(watched.problem.find("CAP_SYS_PTRACE"), std::string::npos) << watched.problem;
  EXPECT_EQ(watched.census_failures, 1U);
  EXPECT_EQ(watched.interval_seconds, 600) << "rights may change";
  EXPECT_EQ(runner->figures().failures, 1U);
}

} // namespace
} // namespace mapscope
