// Looks at one process after the other; see census_runner.h.
//
// What the thread works with is its own, but for the table of processes and the schedule: these are
// locked, and never while a process is looked at.
#include "pipeline/daemon/census_runner.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "pipeline/daemon/census_guard.h"
#include "pipeline/daemon/census_process.h"
#include "pipeline/daemon/census_schedule.h"
#include "report/maps_json.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLookTimeMax = 120 * kSecond;  // wall time of one, walk included
constexpr std::uint64_t kGlanceEvery = 10 * kSecond;   // at what costs a system call each
constexpr std::uint64_t kRetryRefused = 600 * kSecond; // rights may have changed
constexpr std::uint64_t kRetryYoung = 5 * kSecond;     // a heap that is not there yet
constexpr unsigned kYoungTries = 6;
constexpr std::uint64_t kProfileFresh = 2 * kSecond;
constexpr auto kProfileTimeout = 10s;
constexpr std::size_t kProfilesMax = 16; // that wait

CensusPace pace_of(const CensusConfig &config) {
  auto ns = [](Seconds seconds) {
    return static_cast<std::uint64_t>(std::max<Seconds::rep>(seconds.count(), 1)) * kSecond;
  };
  return {.interval_ns = ns(config.interval),
          .shortest_ns = ns(config.shortest),
          .longest_ns = ns(config.longest),
          .cpu_share = std::clamp(config.cpu_share, 1e-5, 1.0)};
}

std::chrono::steady_clock::time_point time_point_of(std::uint64_t monotonic_ns) {
  return std::chrono::steady_clock::time_point{std::chrono::nanoseconds{monotonic_ns}};
}

// What others are told of a process, and what the thread looks at it with.
struct Watched {
  explicit Watched(const FoundProcess &found) : process(found) {
    if (found.binary) {
      const BinaryFacts &facts = found.binary->facts();
      told.go_version = facts.go_version;
      told.map_implementation = facts.map_implementation == MapImplementation::swiss     ? "swiss"
                                : facts.map_implementation == MapImplementation::classic ? "classic"
                                                                                         : "";
    }
  }

  CensusProcess process; // the thread's
  std::string profile;   // the last one; the thread's
  std::uint64_t profiled_ns = 0;
  unsigned young_tries = 0;

  WatchedProcess told; // locked: all that describe() fills in
  std::shared_ptr<const MapsReport> report;
  std::uint64_t looked_ns = 0;
};

using ProfileAnswer = std::promise<Result<std::string>>;

class Runner final : public CensusRunner {
public:
  Runner(const CensusConfig &config, const LimitsConfig &limits,
         std::function<void(CensusSample)> hear)
      : config_(config), hear_(std::move(hear)), guard_(limits), schedule_(pace_of(config)),
        thread_([this] { run(); }) {}
  ~Runner() override { stop(); }

  void add(const FoundProcess &process) override;
  void remove(ProcessKey process) override;
  void set_needs(const CensusNeeds &needs) override;
  void set_config(const CensusConfig &config, const LimitsConfig &limits) override;
  bool look_at_all(std::chrono::milliseconds timeout) override;
  void describe(WatchedProcess &process) const override;
  Result<std::shared_ptr<const std::string>> maps_json(ProcessKey process) const override;
  Result<std::string> profile(ProcessKey process) override;
  CensusRunnerFigures figures() const override;
  void stop() override;

private:
  using Lock = std::unique_lock<std::mutex>;
  struct WantedProfile {
    ProcessKey process;
    std::shared_ptr<ProfileAnswer> answer;
  };

  void run();
  void wait(Lock &lock);
  // What is next; null: nothing now.
  std::shared_ptr<Watched> take(std::uint64_t now);
  LookOptions options() const;
  void look(Lock &lock, const std::shared_ptr<Watched> &watched);
  void skip(Lock &lock, const std::shared_ptr<Watched> &watched, std::uint64_t cpu_start_ns);
  void note(Watched &watched, const ProcessLook &look, std::uint64_t cost_ns);
  void note_failure(Watched &watched, const Error &error, std::uint64_t cost_ns);
  void answer_profile(Lock &lock);
  void glance(Lock &lock);
  void give_up_memory(bool all);
  bool is_watched(const std::shared_ptr<Watched> &watched) const;

  mutable std::mutex mutex_;
  std::condition_variable wake_, looked_;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<std::uint64_t> deadline_ns_ = 0; // of what is looked at

  CensusConfig config_;
  CensusNeeds needs_;
  std::function<void(CensusSample)> hear_;
  CensusGuard guard_;
  CensusSchedule schedule_;
  std::map<ProcessKey, std::shared_ptr<Watched>> processes_;
  std::deque<ProcessKey> forced_; // before all others, whatever it costs
  std::optional<ProcessKey> looked_at_;
  std::deque<WantedProfile> profiles_;
  CensusRunnerFigures figures_;
  std::uint64_t glanced_ns_ = 0;

  std::thread thread_; // the last: it works with all of these
};

void Runner::add(const FoundProcess &process) {
  const Lock lock{mutex_};
  const ProcessKey key = process.process.key;
  if (!process.problem.empty() || !process.binary)
    return;
  schedule_.remove(key); // another program runs in it now
  processes_[key] = std::make_shared<Watched>(process);
  schedule_.add(key, now_ns());
  wake_.notify_all();
}

void Runner::remove(ProcessKey process) {
  std::shared_ptr<Watched> ended; // what it holds is freed when nothing is locked
  const Lock lock{mutex_};
  if (const auto found = processes_.find(process); found != processes_.end()) {
    ended = std::move(found->second);
    processes_.erase(found);
  }
  schedule_.remove(process);
  std::erase(forced_, process);
  looked_.notify_all();
}

void Runner::set_needs(const CensusNeeds &needs) {
  const Lock lock{mutex_};
  needs_ = needs;
  wake_.notify_all();
}

void Runner::set_config(const CensusConfig &config, const LimitsConfig &limits) {
  const Lock lock{mutex_};
  config_ = config;
  guard_.set_limits(limits);
  schedule_.set_pace(pace_of(config));
  wake_.notify_all();
}

bool Runner::look_at_all(std::chrono::milliseconds timeout) {
  Lock lock{mutex_};
  forced_.clear();
  for (const auto &[key, watched] : processes_)
    forced_.push_back(key);
  wake_.notify_all();
  return looked_.wait_for(lock, timeout, [this] {
    return is_stopping_ || (forced_.empty() && !looked_at_);
  }) && forced_.empty();
}

void Runner::describe(WatchedProcess &process) const {
  const Lock lock{mutex_};
  const auto found = processes_.find(process.process.key);
  if (found == processes_.end())
    return;
  const WatchedProcess &told = found->second->told;
  process.go_version = told.go_version;
  process.map_implementation = told.map_implementation;
  process.state = told.state;
  process.problem = told.problem;
  process.census = told.census;
  process.maps_unsettled = told.maps_unsettled;
  process.census_count = told.census_count;
  process.census_failures = told.census_failures;
  process.census_skipped = told.census_skipped;
  process.census_cpu_ns = told.census_cpu_ns;
  process.census_last_cpu_ns = told.census_last_cpu_ns;
  process.interval_seconds = static_cast<double>(schedule_.interval_ns(process.process.key)) /
                             static_cast<double>(kSecond);
}

Result<std::shared_ptr<const std::string>> Runner::maps_json(ProcessKey process) const {
  std::shared_ptr<const MapsReport> report;
  {
    const Lock lock{mutex_};
    const auto found = processes_.find(process);
    if (found == processes_.end())
      return fail(Errc::not_found, "process {} is not watched", process.pid);
    report = found->second->report;
    if (!report && !found->second->told.problem.empty())
      return fail(Errc::not_found, "process {} can't be looked at: {}", process.pid,
                  found->second->told.problem);
  }
  if (!report)
    return fail(Errc::not_found, "process {} was not looked at yet", process.pid);
  return std::make_shared<const std::string>(mapscope::maps_json(*report));
}

Result<std::string> Runner::profile(ProcessKey process) {
  const auto answer = std::make_shared<ProfileAnswer>();
  auto result = answer->get_future();
  {
    const Lock lock{mutex_};
    if (!processes_.contains(process))
      return fail(Errc::not_found, "process {} is not watched", process.pid);
    if (is_stopping_ || profiles_.size() >= kProfilesMax)
      return fail(Errc::system, "too many profiles are waited for; try again later");
    profiles_.push_back({process, answer});
    wake_.notify_all();
  }
  if (result.wait_for(kProfileTimeout) != std::future_status::ready)
    return fail(Errc::system,
                "process {} could not be looked at within {} s: a census of another one may take "
                "long; try again",
                process.pid, std::chrono::seconds{kProfileTimeout}.count());
  return result.get();
}

CensusRunnerFigures Runner::figures() const {
  const Lock lock{mutex_};
  CensusRunnerFigures figures = figures_;
  figures.backlog_seconds = static_cast<double>(schedule_.backlog_ns(now_ns())) / 1e9;
  figures.is_throttled = guard_.is_throttled();
  figures.throttled_count = guard_.throttled_count();
  return figures;
}

void Runner::stop() {
  {
    const Lock lock{mutex_};
    is_stopping_ = true;
    wake_.notify_all();
    looked_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

void Runner::run() {
  ::pthread_setname_np(::pthread_self(), "census");
  // What others of this process do at the same time, answer for one, goes first.
  constexpr int kNice = 5;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  Lock lock{mutex_};
  while (!is_stopping_) {
    if (!profiles_.empty()) {
      answer_profile(lock);
      continue;
    }
    glance(lock);
    if (const auto next = take(now_ns()))
      look(lock, next);
    else
      wait(lock);
  }
  for (const WantedProfile &wanted : profiles_)
    wanted.answer->set_value(fail(Errc::system, "the daemon is stopping"));
}

void Runner::wait(Lock &lock) {
  const std::uint64_t now = now_ns();
  if (processes_.empty()) {
    wake_.wait(lock);
    return;
  }
  const std::uint64_t until = std::min(
      needs_.census ? schedule_.next_ns(now).value_or(~std::uint64_t{0}) : ~std::uint64_t{0},
      glanced_ns_ + kGlanceEvery);
  // Little more than what is asked for, so that no look is late by a wait of its own.
  if (until > now)
    wake_.wait_until(lock, time_point_of(until));
}

std::shared_ptr<Watched> Runner::take(std::uint64_t now) {
  while (!forced_.empty()) {
    const auto found = processes_.find(forced_.front());
    forced_.pop_front();
    if (found != processes_.end())
      return found->second;
  }
  const auto next = needs_.census ? schedule_.take(now) : std::nullopt;
  return next ? processes_.at(*next) : nullptr;
}

LookOptions Runner::options() const {
  return {.needs = needs_,
          .census = config_,
          .walk_memory_bytes = guard_.free_bytes() / 2,
          .may_keep = !guard_.is_short_of_memory(),
          .stop = [this]() -> Result<> {
            if (is_stopping_)
              return fail(Errc::system, "the daemon is stopping");
            if (now_ns() > deadline_ns_)
              return fail(Errc::system, "looking at it took longer than {} s",
                          kLookTimeMax / kSecond);
            return {};
          }};
}

bool Runner::is_watched(const std::shared_ptr<Watched> &watched) const {
  const auto found = processes_.find(watched->process.found().process.key);
  return found != processes_.end() && found->second == watched;
}

void Runner::look(Lock &lock, const std::shared_ptr<Watched> &watched) {
  const std::uint64_t cpu_start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  CensusProcess &process = watched->process;
  looked_at_ = process.found().process.key;
  const LookOptions wanted = options();
  deadline_ns_ = now_ns() + kLookTimeMax;
  lock.unlock();
  if (process.has_not_run(wanted.needs)) {
    skip(lock, watched, cpu_start_ns);
  } else {
    auto looked = process.look(wanted);
    const std::uint64_t cost_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
    lock.lock();
    figures_.cpu_ns += cost_ns;
    if (is_watched(watched) && !is_stopping_) {
      if (looked)
        note(*watched, *looked, cost_ns);
      else
        note_failure(*watched, looked.error(), cost_ns);
      if (looked) {
        lock.unlock();
        hear_(*looked->sample);
        lock.lock();
      }
    }
  }
  looked_at_.reset();
  looked_.notify_all();
}

void Runner::skip(Lock &lock, const std::shared_ptr<Watched> &watched, std::uint64_t cpu_start_ns) {
  const std::uint64_t now = now_ns();
  CensusSample sample = watched->process.repeated(now);
  lock.lock();
  const std::uint64_t cost_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
  figures_.cpu_ns += cost_ns;
  if (!is_watched(watched) || is_stopping_)
    return;
  ++figures_.skipped;
  ++watched->told.census_skipped;
  schedule_.note_unchanged(watched->process.found().process.key, now, cost_ns);
  lock.unlock();
  hear_(std::move(sample));
  lock.lock();
}

void Runner::note(Watched &watched, const ProcessLook &look, std::uint64_t cost_ns) {
  ++figures_.censuses;
  watched.young_tries = 0;
  watched.looked_ns = now_ns();
  watched.report = look.report;
  WatchedProcess &told = watched.told;
  told.state = WatchState::watched;
  told.problem.clear();
  told.census = look.shown;
  told.maps_unsettled = look.report->counts.unsettled_count;
  ++told.census_count;
  told.census_cpu_ns += cost_ns;
  told.census_last_cpu_ns = cost_ns;
  const ProcessKey key = watched.process.found().process.key;
  schedule_.note(key, watched.looked_ns, cost_ns, look.change);
  spdlog::debug("looked at process {}: {} maps, {:.1f} ms", key.pid, look.sample->map_count,
                static_cast<double>(cost_ns) / 1e6);
  if (!look.kept_snapshot.empty())
    spdlog::warn("process {} is near its memory limit: a snapshot of it is kept in {}", key.pid,
                 look.kept_snapshot);
  if (!look.snapshot_problem.empty())
    spdlog::error("process {} is near its memory limit, and no snapshot of it could be kept: {}",
                  key.pid, look.snapshot_problem);
}

// What has ended is told by who finds processes.
void Runner::note_failure(Watched &watched, const Error &error, std::uint64_t cost_ns) {
  const ProcessKey key = watched.process.found().process.key;
  WatchedProcess &told = watched.told;
  told.census_cpu_ns += cost_ns;
  if (error.code() == Errc::gone) {
    schedule_.note_failure(key, now_ns(), cost_ns, kRetryRefused);
    return;
  }
  const bool is_young = error.code() == Errc::not_found && watched.young_tries++ < kYoungTries;
  schedule_.note_failure(key, now_ns(), cost_ns, is_young ? kRetryYoung : kRetryRefused);
  if (is_young)
    return;
  ++figures_.failures;
  ++told.census_failures;
  told.state = WatchState::refused;
  if (told.problem != error.message())
    spdlog::warn("process {} ({}) can't be looked at: {}", key.pid,
                 watched.process.found().process.exe, error.message());
  told.problem = error.message();
}

void Runner::answer_profile(Lock &lock) {
  const WantedProfile wanted = std::move(profiles_.front());
  profiles_.pop_front();
  const auto found = processes_.find(wanted.process);
  if (found == processes_.end()) {
    wanted.answer->set_value(fail(Errc::gone, "process {} has ended", wanted.process.pid));
    return;
  }
  const std::shared_ptr<Watched> watched = found->second;
  const LookOptions look_options = options();
  deadline_ns_ = now_ns() + kLookTimeMax;
  lock.unlock();
  const std::uint64_t cpu_start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  if (watched->profile.empty() || now_ns() - watched->profiled_ns > kProfileFresh) {
    auto made = watched->process.profile(look_options);
    if (!made) {
      wanted.answer->set_value(std::unexpected(std::move(made).error()));
      lock.lock();
      return;
    }
    watched->profile = std::move(*made);
    watched->profiled_ns = now_ns();
  }
  wanted.answer->set_value(watched->profile);
  lock.lock();
  figures_.cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
}

// Now and then, what is cheap: who was idle and works again, and what we take ourselves.
void Runner::glance(Lock &lock) {
  // A fiftieth of a core since the last look; what does less can't change much.
  constexpr std::uint64_t kIdleShare = 50;
  constexpr std::uint64_t kIdleNs = 50'000'000;
  const std::uint64_t now = now_ns();
  if (now - glanced_ns_ < kGlanceEvery)
    return;
  glanced_ns_ = now;
  for (auto &[key, watched] : processes_) {
    if (watched->profiled_ns != 0 && now - watched->profiled_ns > kProfileFresh) {
      watched->profile = {};
      watched->profiled_ns = 0;
    }
    if (!schedule_.is_longer_than_usual(key) || watched->looked_ns == 0)
      continue;
    const auto ran_ns = watched->process.ran_ns();
    if (ran_ns && *ran_ns > kIdleNs && *ran_ns > (now - watched->looked_ns) / kIdleShare)
      schedule_.wake(key, now);
  }
  guard_.measure(now);
  if (guard_.is_short_of_memory()) {
    give_up_memory(false);
    lock.unlock();
    ::malloc_trim(0);
    lock.lock();
    guard_.measure_memory();
    if (guard_.is_short_of_memory())
      give_up_memory(true);
  }
  if (guard_.stretch() != schedule_.stretch())
    spdlog::warn(
        "censuses are {} times as far apart as they would be, for the limits of memory and "
        "CPU (limits.memory_bytes, limits.cpu_share)",
        guard_.stretch());
  schedule_.set_stretch(guard_.stretch());
}

// Of those first that were looked at the longest ago.
void Runner::give_up_memory(bool all) {
  std::vector<std::shared_ptr<Watched>> keepers;
  for (const auto &[key, watched] : processes_)
    if (watched->process.keeps_memory())
      keepers.push_back(watched);
  std::ranges::sort(keepers, {}, [](const auto &watched) { return watched->looked_ns; });
  if (!all)
    keepers.resize((keepers.size() + 1) / 2);
  for (const auto &watched : keepers) {
    watched->process.give_up_memory();
    ++figures_.memory_given_up;
  }
}

} // namespace

std::unique_ptr<CensusRunner> CensusRunner::start(const CensusConfig &config,
                                                  const LimitsConfig &limits,
                                                  std::function<void(CensusSample)> hear) {
  return std::make_unique<Runner>(config, limits, std::move(hear));
}

} // namespace mapscope
