// A window's thread; see event_window.h.
#include "pipeline/daemon/event_window.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "attach/plan.h"
#include "attribute/system_calls.h"
#include "base/clock.h"
#include "decode/decode.h"
#include "kernel/tracer.h"
#include "pipeline/probe_hits.h"
#include "pipeline/verify_analysis.h"
#include "pipeline/verify_scope.h"
#include "pipeline/watched_target.h"
#include "report/verify_words.h"

namespace mapscope {
namespace {

constexpr int kDrainMilliseconds = 10;
constexpr std::size_t kViolationsMax = 50;

using EventTotals = std::array<event_stats, EVENT_KIND_COUNT>;

// What was sent and lost since `before`.
EventTotals since(const EventTotals &before, EventTotals now) {
  for (std::size_t kind = 0; kind < now.size(); ++kind) {
    now[kind].sent -= before[kind].sent;
    now[kind].lost_ring_full -= before[kind].lost_ring_full;
  }
  return now;
}

FileIoCall call_of(const Violation &violation) {
  const AttributedCall &call = violation.first;
  return {.call = call.name,
          .path = call.path.value_or(""),
          .operation = call.operation.value_or(""),
          .site = call.site,
          .cause = call.cause.value_or(""),
          .count = violation.count};
}

VerifySample sample_of(ProcessKey process, const Verdict &verdict) {
  VerifySample sample;
  sample.time_ns = now_ns();
  sample.process = process;
  sample.verdict = word_for(verdict.outcome);
  sample.reasons = verdict.reasons;
  sample.operations = verdict.operations.observed;
  sample.duration_ns = verdict.run.duration_ns;
  for (const Violation &violation : verdict.violations) {
    if (sample.violations.size() >= kViolationsMax)
      break;
    sample.violations.push_back(call_of(violation));
  }
  return sample;
}

} // namespace

// What lives in the window's thread only.
class VerifyWindow::Session {
public:
  Session(VerifyWindow &window, Tracer tracer) : window_(window), tracer_(std::move(tracer)) {}
  ~Session();

  Result<> begin(std::vector<Target> targets);
  // False: nobody is left.
  bool step();
  std::uint64_t ring_full() const;

private:
  struct Watched {
    Target target;
    std::unique_ptr<WatchedTarget> probes;
    std::unique_ptr<VerifyAnalysis> analysis;
    EventTotals totals_before{};
    std::uint64_t end_ns = 0;
    bool is_over = false; // ended, or executed another program
  };

  void add(Target target);
  void take(std::span<const std::byte> record);
  void drain();
  bool ends(const Watched &watched, std::uint64_t now) const;
  void finish_those_that_end();
  void finish(Watched watched);

  VerifyWindow &window_;
  Tracer tracer_;
  std::map<std::uint32_t, Watched> watched_; // by index
};

VerifyWindow::Session::~Session() {
  tracer_.unwatch_system_calls();
  window_.attached_ = false;
}

Result<> VerifyWindow::Session::begin(std::vector<Target> targets) {
  TRY(tracer_.watch_processes());
  for (Target &target : targets)
    if (!window_.stopping_)
      add(std::move(target));
  if (watched_.empty())
    return {};
  window_.attached_ = true;
  return tracer_.watch_system_calls();
}

void VerifyWindow::Session::add(Target target) {
  const ProcessKey key = target.process.process.key;
  Watched watched;
  auto probes = WatchedTarget::running(tracer_, window_.binaries_, static_cast<pid_t>(key.pid),
                                       ProbeChoice{}, 0);
  if (probes && (*probes)->process().key != key)
    probes = fail(Errc::gone, "process {} has ended", key.pid);
  if (!probes) {
    {
      const std::scoped_lock lock{window_.mutex_};
      --window_.places_;
    }
    window_.listener_.heard({.process = key,
                             .is_at_start = target.is_at_start,
                             .sample = {},
                             .probe_hits = 0,
                             .problem = probes.error().message()});
    return;
  }
  watched.probes = std::move(*probes);
  watched.analysis = std::make_unique<VerifyAnalysis>();
  watched.totals_before = tracer_.event_totals();
  watched.end_ns = now_ns() + target.duration_ns;
  watched.target = std::move(target);
  RunStart run;
  run.machine = this_machine();
  run.time_ns = now_ns();
  watched.analysis->start(run);
  const WatchedTarget &placed = *watched.probes;
  TargetStart start;
  start.index = placed.index();
  start.time_ns = run.time_ns;
  start.process = key;
  start.tgid = tracer_.target_at(start.index).tgid;
  start.exe = placed.process().exe;
  start.facts = {placed.binary(), &placed.facts()};
  start.names = placed.binary();
  start.load_bias = placed.load_bias();
  start.scope = scope_of(placed.facts(), placed.plan(), ProbeChoice{});
  start.is_first = true; // of its own analysis
  start.warnings = placed.plan().warnings;
  watched.analysis->target_start(start);
  watched_.insert_or_assign(start.index, std::move(watched));
}

void VerifyWindow::Session::take(std::span<const std::byte> record) {
  event_header header;
  if (record.size() < sizeof(header))
    return;
  std::memcpy(&header, record.data(), sizeof(header));
  auto entry = watched_.find(header.target);
  if (entry == watched_.end())
    return;
  Watched &watched = entry->second;
  watched.analysis->record(record);
  if (header.kind == EVENT_KIND_PROCESS_EXEC) {
    watched.is_over = true;
    watched.analysis->remark({true, "it executed a program while it was watched"});
  } else if (header.kind == EVENT_KIND_PROCESS_EXIT) {
    watched.is_over = true;
  }
}

void VerifyWindow::Session::drain() {
  tracer_.drain([this](std::span<const std::byte> record) { take(record); });
  for (auto &[index, watched] : watched_)
    watched.analysis->drained();
}

bool VerifyWindow::Session::step() {
  pollfd waker{.fd = tracer_.wake_fd(), .events = POLLIN, .revents = 0};
  ::poll(&waker, 1, kDrainMilliseconds);
  drain();
  std::vector<Target> joining;
  {
    const std::scoped_lock lock{window_.mutex_};
    std::swap(joining, window_.joining_);
    for (ProcessKey key : std::exchange(window_.leaving_, {}))
      for (auto &[index, watched] : watched_)
        if (watched.target.process.process.key == key)
          watched.is_over = true;
  }
  for (Target &target : joining)
    add(std::move(target));
  finish_those_that_end();
  const std::scoped_lock lock{window_.mutex_};
  window_.is_closing_ = watched_.empty() && window_.joining_.empty();
  return !window_.is_closing_;
}

bool VerifyWindow::Session::ends(const Watched &watched, std::uint64_t now) const {
  return watched.is_over || now >= watched.end_ns ||
         window_.stopping_.load(std::memory_order_relaxed);
}

// All at once: taking off the probes of one takes the kernel as long as those of all.
void VerifyWindow::Session::finish_those_that_end() {
  const std::uint64_t now = now_ns();
  std::vector<UprobeLinks> links;
  std::size_t ending = 0;
  for (auto &[index, watched] : watched_)
    if (ends(watched, now)) {
      ++ending;
      watched.is_over = true;
    }
  if (ending == 0)
    return;
  if (ending == watched_.size()) {
    tracer_.unwatch_system_calls();
    window_.attached_ = false;
  }
  for (auto &[index, watched] : watched_)
    if (watched.is_over) {
      tracer_.unwatch_target(index);
      std::ranges::move(watched.probes->take_links(), std::back_inserter(links));
    }
  take_off_together(std::move(links));
  drain(); // their last records
  std::vector<Watched> over;
  for (auto entry = watched_.begin(); entry != watched_.end();) {
    auto next = std::next(entry);
    if (entry->second.is_over && !entry->second.probes->has_probes())
      over.push_back(std::move(watched_.extract(entry).mapped()));
    entry = next;
  }
  for (Watched &watched : over)
    finish(std::move(watched));
}

void VerifyWindow::Session::finish(Watched watched) {
  TargetEnd end{watched.probes->index(), tracer_.counts(watched.probes->index())};
  Outcome outcome;
  outcome.process = watched.target.process.process.key;
  outcome.is_at_start = watched.target.is_at_start;
  outcome.probe_hits = hits_of(end.counts);
  watched.analysis->target_end(end);
  RunEnd run;
  run.time_ns = now_ns();
  run.events = since(watched.totals_before, tracer_.event_totals());
  run.cost.probe_hits = outcome.probe_hits;
  watched.analysis->end(run);
  if (auto verdict = watched.analysis->verdict())
    outcome.sample = sample_of(outcome.process, *verdict);
  else
    outcome.problem = verdict.error().message();
  watched.probes.reset(); // its place is free from here on
  {
    const std::scoped_lock lock{window_.mutex_};
    --window_.places_;
  }
  window_.listener_.heard(std::move(outcome));
}

std::uint64_t VerifyWindow::Session::ring_full() const {
  std::uint64_t lost = 0;
  for (const event_stats &stats : tracer_.event_totals())
    lost += stats.lost_ring_full;
  return lost;
}

void VerifyWindow::start(std::vector<Target> targets) {
  places_ = targets.size();
  thread_ = std::jthread{[this, targets = std::move(targets)]() mutable {
    std::map<std::string, std::uint64_t> lost;
    auto watch = [&]() -> Result<> {
      TracerOptions options;
      options.settings.emit_memory_calls = 1;
      options.settings.use_windows = 1;
      options.call_table = call_table(this_machine());
      options.targets_max = tuning_.window_targets;
      options.ring_bytes = tuning_.window_ring_bytes;
      Session session{*this, TRY_WHILE(Tracer::load(options), "verifying")};
      TRY(session.begin(std::move(targets)));
      while (session.step())
        ;
      if (std::uint64_t ring_full = session.ring_full(); ring_full > 0)
        lost["verify_ring_full"] = ring_full;
      return {};
    };
    auto done = watch();
    {
      const std::scoped_lock lock{mutex_};
      is_closing_ = true;
    }
    listener_.ended(done ? std::string{} : done.error().message(), std::move(lost));
  }};
}

bool VerifyWindow::join(const Target &target) {
  const std::scoped_lock lock{mutex_};
  if (is_closing_ || stopping_ || places_ >= tuning_.window_targets)
    return false;
  ++places_;
  joining_.push_back(target);
  return true;
}

void VerifyWindow::leave(ProcessKey process) {
  const std::scoped_lock lock{mutex_};
  leaving_.push_back(process);
}

void VerifyWindow::stop() { stopping_ = true; }

VerifyWindow::~VerifyWindow() {
  stop();
  if (thread_.joinable())
    thread_.join();
}

} // namespace mapscope
