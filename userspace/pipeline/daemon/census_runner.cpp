// What others ask of the thread that takes censuses; see census_runner.h.
#include "pipeline/daemon/census_runner.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "pipeline/daemon/census_thread.h"
#include "report/maps_json.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecond = 1'000'000'000;
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

} // namespace

CensusThread::CensusThread(const CensusConfig &config, const LimitsConfig &limits,
                           std::function<void(CensusSample)> hear)
    : config_(config), hear_(std::move(hear)), guard_(limits), schedule_(pace_of(config)),
      thread_([this] { run(); }) {}

void CensusThread::add(const FoundProcess &process) {
  const Lock lock{mutex_};
  const ProcessKey key = process.process.key;
  if (!process.problem.empty() || !process.binary)
    return;
  schedule_.remove(key); // another program runs in it now
  processes_[key] = std::make_shared<CensusSubject>(process);
  schedule_.add(key, now_ns());
  wake_.notify_all();
}

void CensusThread::remove(ProcessKey process) {
  std::shared_ptr<CensusSubject> ended; // what it holds is freed when nothing is locked
  const Lock lock{mutex_};
  if (const auto found = processes_.find(process); found != processes_.end()) {
    ended = std::move(found->second);
    processes_.erase(found);
    may_hold_free_memory_ = true;
    if (processes_.empty())
      wake_.notify_all(); // so that the last one's memory is given back
  }
  schedule_.remove(process);
  std::erase(forced_, process);
  looked_.notify_all();
}

void CensusThread::set_needs(const CensusNeeds &needs) {
  const Lock lock{mutex_};
  needs_ = needs;
  wake_.notify_all();
}

void CensusThread::set_config(const CensusConfig &config, const LimitsConfig &limits) {
  const Lock lock{mutex_};
  config_ = config;
  guard_.set_limits(limits);
  schedule_.set_pace(pace_of(config));
  wake_.notify_all();
}

bool CensusThread::look_at_all(std::chrono::milliseconds timeout) {
  Lock lock{mutex_};
  forced_.clear();
  for (const auto &[key, watched] : processes_)
    forced_.push_back(key);
  wake_.notify_all();
  return looked_.wait_for(lock, timeout, [this] {
    return is_stopping_ || (forced_.empty() && !looked_at_);
  }) && forced_.empty();
}

void CensusThread::describe(WatchedProcess &process) const {
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

Result<std::shared_ptr<const std::string>> CensusThread::maps_json(ProcessKey process) const {
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

Result<std::string> CensusThread::profile(ProcessKey process) {
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

CensusRunnerFigures CensusThread::figures() const {
  const Lock lock{mutex_};
  CensusRunnerFigures figures = figures_;
  figures.backlog_seconds = static_cast<double>(schedule_.backlog_ns(now_ns())) / 1e9;
  figures.is_throttled = guard_.is_throttled();
  figures.throttled_count = guard_.throttled_count();
  return figures;
}

void CensusThread::stop() {
  {
    const Lock lock{mutex_};
    is_stopping_ = true;
    wake_.notify_all();
    looked_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

std::unique_ptr<CensusRunner> CensusRunner::start(const CensusConfig &config,
                                                  const LimitsConfig &limits,
                                                  std::function<void(CensusSample)> hear) {
  return std::make_unique<CensusThread>(config, limits, std::move(hear));
}

} // namespace mapscope
