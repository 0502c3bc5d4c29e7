// The daemon between its parts; see daemon_core.h.
#include "pipeline/daemon/daemon_core.h"

#include <chrono>
#include <utility>
#include <variant>

#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "base/format.h"
#include "pipeline/bpf_maps/bpf_map_selection.h"
#include "pipeline/daemon/own_figures.h"
#include "pipeline/daemon/slow_step.h"
#include "report/bpf_maps_json.h"

namespace mapscope {
namespace {

// Some samples of each of a thousand processes: minutes, where the core is held up.
constexpr std::size_t kInboxMax = 10'000;

void add_own_figures(DaemonFigures &figures) {
  const OwnFigures own = own_figures();
  figures.cpu_ns = own.cpu_ns;
  figures.resident_bytes = own.resident_bytes;
  figures.open_descriptors = own.open_descriptors;
  figures.threads = own.threads;
}

} // namespace

DaemonCore::DaemonCore(DaemonConfig config, std::unique_ptr<BinaryCache> binaries, std::string boot)
    : config_(std::move(config)), inbox_(kInboxMax), binaries_(std::move(binaries)),
      engine_(config_.rules, {.boot_id = std::move(boot)}), start_wall_ns_(now_ns(CLOCK_REALTIME)),
      config_wall_ns_(start_wall_ns_) {}

Result<std::unique_ptr<DaemonCore>> DaemonCore::start(DaemonConfig config,
                                                      std::unique_ptr<BinaryCache> binaries,
                                                      std::unique_ptr<BpfWatcher> bpf) {
  const std::string boot = boot_id();
  std::unique_ptr<DaemonCore> core{new DaemonCore{std::move(config), std::move(binaries), boot}};
  DaemonCore &self = *core;
  self.alerting_ =
      TRY(Alerting::start(self.config_.alerts, {.host = host_name(), .boot_id = boot}));
  self.engine_.restore(self.alerting_->firing());
  self.finder_ = ProcessFinder::start(self.config_.watch, *self.binaries_);
  self.runner_ = CensusRunner::start(
      self.config_.census, self.config_.limits,
      [&inbox = self.inbox_](CensusSample sample) { inbox.put(std::move(sample)); });
  self.watcher_ =
      EventWatcher::start(self.config_.events, self.config_.verify, *self.binaries_,
                          [&inbox = self.inbox_](RuleInput input) { inbox.put(std::move(input)); });
  self.bpf_ = std::move(bpf);
  self.set_needs();
  self.tell_of_kernel();
  self.bpf_->begin([&inbox = self.inbox_](BpfMapsSample sample) { inbox.put(std::move(sample)); });
  if (const std::string problem = self.finder_->figures().feed_problem; !problem.empty())
    spdlog::warn("new processes are found by scanning only: {}", problem);
  return core;
}

DaemonCore::~DaemonCore() { stop(std::chrono::milliseconds{0}); }

void DaemonCore::set_needs() {
  const RuleNeeds needs = engine_.needs();
  runner_->set_needs(needs.census);
  watcher_->set_needs(needs);
  bpf_->set_needs(needs.bpf);
}

// Rules about its maps are about the process kKernel; told again, it changes nothing.
void DaemonCore::tell_of_kernel() {
  tell(engine_.take(ProcessAppeared{.time_ns = now_ns(), .process = {.key = kKernel}}));
  if (!config_.bpf.enabled)
    tell(engine_.take(ProcessEnded{.time_ns = now_ns(), .process = kKernel}));
}

void DaemonCore::tell(std::vector<Finding> findings) {
  if (!findings.empty())
    alerting_->take(std::move(findings));
}

void DaemonCore::look() {
  ProcessChanges changes;
  warn_if_slow("looking for programs", [&] { changes = finder_->look(); });
  warn_if_slow("taking in programs that came and went", [&] { take(changes); });
  const bool is_complete = finder_->is_complete();
  tell(engine_.tick(now_ns(), is_complete));
  if (is_complete && !is_ready_) {
    is_ready_ = true;
    const std::lock_guard lock{mutex_};
    spdlog::info("watching {}", format_counted(watched_.size(), "Go program"));
  }
}

// An exec ends what a process was and begins something else under the same key, so those that ended
// come first.
void DaemonCore::take(const ProcessChanges &changes) {
  for (const ProcessKey key : changes.ended) {
    runner_->remove(key);
    watcher_->remove(key);
    tell(engine_.take(ProcessEnded{.time_ns = now_ns(), .process = key}));
    const std::lock_guard lock{mutex_};
    if (const auto entry = watched_.find(key.pid);
        entry != watched_.end() && entry->second.process.key == key)
      watched_.erase(entry);
  }
  for (const FoundProcess &found : changes.appeared) {
    const ProcessIdentity &process = found.process;
    tell(engine_.take(ProcessAppeared{.time_ns = now_ns(), .process = process}));
    if (found.problem.empty()) {
      spdlog::debug("watching process {} ({})", process.key.pid, process.exe);
      runner_->add(found);
      watcher_->add(found);
    } else {
      spdlog::warn("process {} ({}) can't be watched: {}", process.key.pid, process.exe,
                   found.problem);
    }
    const std::lock_guard lock{mutex_};
    watched_.insert_or_assign(process.key.pid, found);
  }
  const std::lock_guard lock{mutex_};
  finder_figures_ = finder_->figures();
  processes_max_ = config_.watch.processes_max;
  engine_figures_ = engine_.figures();
}

void DaemonCore::hear() {
  warn_if_slow("judging samples", [&] {
    for (const RuleInput &input : inbox_.take())
      tell(engine_.take(input));
  });
}

void DaemonCore::use(DaemonConfig config) {
  tell(engine_.replace_rules(config.rules, now_ns()));
  finder_->set_watch(config.watch);
  runner_->set_config(config.census, config.limits);
  watcher_->set_config(config.events, config.verify);
  bpf_->set_config(config.bpf);
  if (auto changed = alerting_->reconfigure(config.alerts); !changed)
    spdlog::error("sinks stay as they were: {}", changed.error().message());
  config_ = std::move(config);
  set_needs();
  tell_of_kernel();
  const std::lock_guard lock{mutex_};
  config_wall_ns_ = now_ns(CLOCK_REALTIME);
  config_problem_.clear();
}

void DaemonCore::keep(const Error &problem) {
  const std::lock_guard lock{mutex_};
  config_problem_ = problem.message();
}

void DaemonCore::stop(std::chrono::milliseconds patience) {
  binaries_->stop(); // nobody waits for an answer any more
  if (watcher_)
    watcher_->stop();
  if (runner_)
    runner_->stop();
  if (bpf_)
    bpf_->stop();
  if (alerting_) {
    hear();
    alerting_->stop(patience);
  }
}

std::string DaemonCore::health() const {
  if (const std::string problem = alerting_->figures().database_problem; !problem.empty())
    return fmt::format("alerts can't be kept: {}", problem);
  return {};
}

DaemonFigures DaemonCore::figures() const {
  DaemonFigures figures;
  figures.version = MAPSCOPE_VERSION;
  figures.start_wall_ns = start_wall_ns_;
  figures.parser_children = binaries_->parsers_alive();
  figures.parser_deaths = binaries_->parsers_died();
  add_own_figures(figures);
  add_figures_of_parts(figures);
  add_bpf_figures(figures);
  const std::lock_guard lock{mutex_};
  figures.processes_seen = finder_figures_.processes_seen;
  figures.execs_seen = finder_figures_.execs_seen;
  figures.lost["exec_events"] = finder_figures_.exec_events_lost;
  figures.lost["rule_subjects"] = engine_figures_.subjects_forgotten;
  if (!finder_figures_.feed_problem.empty())
    figures.problems.push_back(
        fmt::format("new processes are found by scanning only: {}", finder_figures_.feed_problem));
  figures.config_loaded_wall_ns = config_wall_ns_;
  figures.config_reload_failed = !config_problem_.empty();
  figures.config_problem = config_problem_;
  return figures;
}

void DaemonCore::add_figures_of_parts(DaemonFigures &figures) const {
  const CensusRunnerFigures censuses = runner_->figures();
  figures.censuses = censuses.censuses;
  figures.census_failures = censuses.failures;
  figures.census_skipped = censuses.skipped;
  figures.census_cpu_ns = censuses.cpu_ns;
  figures.census_backlog_seconds = censuses.backlog_seconds;
  figures.is_throttled = censuses.is_throttled;
  figures.throttled_count = censuses.throttled_count;

  EventWatcherFigures events = watcher_->figures();
  figures.verify_windows = events.verify_windows;
  figures.probe_hits = events.hits;
  figures.flashes = events.flashes;
  figures.system_calls_attached = events.system_calls_attached;
  figures.lost = std::move(events.lost);
  figures.lost["samples"] = inbox_.lost();
  if (!events.problem.empty())
    figures.problems.push_back(fmt::format("no probe is placed: {}", events.problem));

  AlertingFigures alerting = alerting_->figures();
  figures.sinks = std::move(alerting.sinks);
  figures.alerts_silenced = alerting.silenced;
  figures.alerts_rate_limited = alerting.rate_limited;
  figures.alerts_kept_in_memory = alerting.kept_in_memory;
  if (!alerting.database_problem.empty())
    figures.problems.push_back(fmt::format("alerts can't be kept: {}", alerting.database_problem));
}

void DaemonCore::add_bpf_figures(DaemonFigures &figures) const {
  const BpfWatcherFigures bpf = bpf_->figures();
  figures.bpf_looks = bpf.looks;
  figures.bpf_look_failures = bpf.failures;
  figures.bpf_cpu_ns = bpf.cpu_ns;
  figures.bpf_key_files = bpf.key_files.written;
  figures.lost["bpf_maps_not_counted"] = bpf.not_counted;
  figures.lost["bpf_calls"] = bpf.calls_lost;
  figures.lost["bpf_key_files"] = bpf.key_files.failures;
  if (!bpf.problem.empty())
    figures.problems.push_back(
        fmt::format("the kernel's maps can't be looked at: {}", bpf.problem));
  if (!bpf.key_files.problem.empty())
    figures.problems.push_back(
        fmt::format("keys of a full map could not be kept: {}", bpf.key_files.problem));
}

std::vector<WatchedProcess> DaemonCore::processes() const {
  std::vector<WatchedProcess> processes;
  {
    const std::lock_guard lock{mutex_};
    processes.reserve(watched_.size());
    for (const auto &[pid, found] : watched_) {
      WatchedProcess &process = processes.emplace_back();
      process.process = found.process;
      process.problem = found.problem;
      process.state = found.problem.empty() ? WatchState::waiting : WatchState::refused;
    }
  }
  for (WatchedProcess &process : processes) {
    runner_->describe(process);
    watcher_->describe(process);
  }
  return processes;
}

Result<ProcessKey> DaemonCore::key_of(std::uint32_t pid) const {
  const std::lock_guard lock{mutex_};
  const auto entry = watched_.find(pid);
  if (entry == watched_.end())
    return fail(Errc::not_found, "no Go program with pid {} is watched", pid);
  return entry->second.process.key;
}

Result<std::shared_ptr<const std::string>> DaemonCore::maps_json(std::uint32_t pid) const {
  return runner_->maps_json(TRY(key_of(pid)));
}

Result<std::shared_ptr<const std::string>> DaemonCore::bpf_maps_json() const {
  const auto look = bpf_->last_look();
  if (!look) {
    const std::string problem = bpf_->figures().problem;
    return problem.empty()
               ? fail(Errc::not_found, "the kernel's maps were not looked at: bpf.enabled and "
                                       "bpf.metrics, or a rule about them, say whether they are")
               : fail(Errc::not_found, "the kernel's maps can't be looked at: {}", problem);
  }
  const std::uint64_t age_ns = now_ns() - look->time_ns;
  return std::make_shared<const std::string>(
      mapscope::bpf_maps_json(report_of(*look, {}, now_ns(CLOCK_REALTIME) - age_ns)));
}

Result<std::string> DaemonCore::profile(std::uint32_t pid) {
  return runner_->profile(TRY(key_of(pid)));
}

} // namespace mapscope
