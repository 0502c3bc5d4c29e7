// One live run; see watch_session.h.
#include "pipeline/watch_session.h"

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/format.h"
#include "decode/decode.h"
#include "kernel/tracer.h"
#include "pipeline/event_loop.h"
#include "pipeline/goroutine_snapshot.h"
#include "pipeline/privileges.h"
#include "pipeline/probe_hits.h"
#include "pipeline/verify_scope.h"
#include "pipeline/watch_start.h"
#include "pipeline/watched_target.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

// How often the ring buffer is drained: a wake-up of ours for each record would cost the
// target as much as forty records.
constexpr auto kDrainInterval = 10ms;
// How often what the drain does not tell is looked at.
constexpr std::uint64_t kLookIntervalNs = 1'000'000'000;
// From here on probes take more than a fifth of a core of the target.
constexpr std::uint64_t kHitsPerSecondHigh = 200'000;

class WatchSession {
public:
  WatchSession(const WatchOptions &options, RunObserver &observer, Tracer tracer)
      : options_(options), observer_(observer), tracer_(std::move(tracer)) {}

  Result<> begin(std::optional<HeldCommand> &command);
  void watch_until_end(const StopSignals &signals, const Fd &pid_fd,
                       const std::function<bool()> &wants_end);
  void finish(std::optional<HeldCommand> &command);
  // That all is in place, for who waits to put the target to work.
  std::string describe_watch() const;

private:
  using TargetPtr = std::unique_ptr<WatchedTarget>;

  Result<TargetPtr> hold(std::optional<HeldCommand> &command);
  void find_every_go_program();
  void find_missed_programs();
  std::optional<std::uint32_t> target_of(std::uint32_t tgid) const; // its index
  std::uint32_t follow_flag() const {
    return options_.follow ? static_cast<std::uint32_t>(TARGET_FOLLOW) : 0U;
  }
  void add(TargetPtr target);
  void take(std::span<const std::byte> record);
  void handle(const process_exec_event &event);
  void handle(const process_exit_event &event);
  void handle(const image_entry_event &event);
  void handle(const map_misuse_event &event);
  void watch_new_image(pid_t pid, std::uint64_t exec_time_ns, std::uint16_t old_index);
  void retire(std::uint32_t index);
  void tell_end(std::uint32_t index);
  void drain();
  void look_at_rates(std::uint64_t now);
  bool is_over() const;
  bool has_lasted() const;
  target_counts counts() const;
  void doubt(std::string sentence) { observer_.remark({true, std::move(sentence)}); }
  void note(std::string sentence) { observer_.remark({false, std::move(sentence)}); }

  const WatchOptions &options_;
  RunObserver &observer_;
  Tracer tracer_;
  BinaryCache binaries_;
  std::map<std::uint32_t, TargetPtr> targets_; // by index
  std::optional<std::uint32_t> first_;         // index of the one that the run is about
  target_counts past_counts_{};                // of those that are gone
  std::uint64_t started_ns_ = 0;
  int stop_fd_ = -1; // readable once a signal has asked for the end
  std::uint64_t looked_at_ns_ = 0;
  std::uint64_t hits_seen_ = 0;
  std::uint64_t execs_lost_ = 0; // of those that were looked for
  bool rate_was_said_ = false;
};

Result<WatchSession::TargetPtr> WatchSession::hold(std::optional<HeldCommand> &command) {
  ResolvedCommand resolved = TRY(resolve_command(options_.command.front()));
  if (is_script(resolved.file))
    return fail(Errc::unsupported,
                "{} is a script: name the Go program that it starts, or give -p PID once that runs",
                resolved.path);
  command.emplace(TRY(HeldCommand::start(resolved.path, options_.command, options_.run_as)));
  return WatchedTarget::held(tracer_, binaries_, command->pid(), std::move(resolved),
                             options_.probes, follow_flag());
}

Result<> WatchSession::begin(std::optional<HeldCommand> &command) {
  observer_.start(start_now(options_));
  TRY(tracer_.watch_processes());
  if (options_.every_go_program)
    find_every_go_program();
  else if (options_.pid)
    add(TRY(
        WatchedTarget::running(tracer_, binaries_, *options_.pid, options_.probes, follow_flag())));
  else
    add(TRY(hold(command)));
  if (options_.system_calls) {
    TRY(tracer_.watch_system_calls());
    if (!tracer_.sees_io_uring())
      note("this kernel does not tell io_uring submissions");
  }
  started_ns_ = looked_at_ns_ = now_ns();
  return {};
}

// What runs already. A program that can't be watched is none of ours, unless it is Go.
void WatchSession::find_every_go_program() {
  for (pid_t pid : running_processes()) {
    if (!find_process(pid)) // a kernel thread, or gone again
      continue;
    auto target = WatchedTarget::running(tracer_, binaries_, pid, options_.probes, follow_flag());
    if (target)
      add(std::move(*target));
    else if (target.error().code() == Errc::unsupported)
      note(fmt::format("process {} is not watched: {}", pid, target.error().message()));
  }
}

// Programs whose start was to be told when the ring was full: nothing else would ever tell them.
void WatchSession::find_missed_programs() {
  std::uint64_t lost = tracer_.event_totals()[EVENT_KIND_PROCESS_EXEC].lost_ring_full;
  if (lost == execs_lost_)
    return;
  execs_lost_ = lost; // before the look: what is lost meanwhile is for the next one
  for (pid_t pid : running_processes()) {
    if (is_over())
      return;
    if (target_of(static_cast<std::uint32_t>(pid)) || !find_process(pid))
      continue;
    auto target = WatchedTarget::running(tracer_, binaries_, pid, options_.probes, follow_flag());
    if (!target) // as watch_new_image()
      continue;
    doubt(fmt::format("{} (process {}) was found by a look at all processes, after the loss of {} "
                      "of programs that started: what it did until then was not seen",
                      (*target)->process().exe, pid, format_counted(lost, "record")));
    add(std::move(*target));
  }
}

std::optional<std::uint32_t> WatchSession::target_of(std::uint32_t tgid) const {
  auto found = std::ranges::find(targets_, tgid,
                                 [](const auto &entry) { return entry.second->process().key.pid; });
  return found == targets_.end() ? std::nullopt : std::optional{found->first};
}

void WatchSession::add(TargetPtr target) {
  TargetStart start;
  start.index = target->index();
  start.time_ns = now_ns();
  start.process = target->process().key;
  start.tgid = tracer_.target_at(target->index()).tgid;
  start.exe = target->process().exe;
  start.facts = {target->binary(), &target->facts()};
  start.names = target->binary();
  start.load_bias = target->load_bias();
  start.scope = scope_of(target->facts(), target->plan(), options_.probes);
  start.returns_probed = options_.probes.depth == Depth::exact;
  start.is_first = !first_ && !options_.every_go_program;
  start.warnings = target->plan().warnings;
  if (start.is_first)
    first_ = start.index;
  targets_[start.index] = std::move(target);
  observer_.target_start(start);
}

std::string WatchSession::describe_watch() const {
  if (!first_)
    return fmt::format("watching {} and those that start; Ctrl-C ends it",
                       format_counted(targets_.size(), "Go program"));
  const WatchedTarget &first = *targets_.at(*first_);
  return fmt::format("watching process {} ({}, {}); Ctrl-C ends it", first.process().key.pid,
                     first.process().exe, first.facts().go_version);
}

// The observer hears every record; the session acts on those that start and end images.
void WatchSession::take(std::span<const std::byte> record) {
  observer_.record(record);
  event_header header;
  if (record.size() < sizeof(header))
    return;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.kind != EVENT_KIND_PROCESS_EXEC && header.kind != EVENT_KIND_PROCESS_EXIT &&
      header.kind != EVENT_KIND_IMAGE_ENTRY && header.kind != EVENT_KIND_MAP_MISUSE)
    return;
  auto event = decode(record);
  if (!event) // whoever analyses counts it
    return;
  if (const auto *exec = std::get_if<process_exec_event>(&event->body))
    handle(*exec);
  else if (const auto *exit = std::get_if<process_exit_event>(&event->body))
    handle(*exit);
  else if (const auto *entry = std::get_if<image_entry_event>(&event->body))
    handle(*entry);
  else if (const auto *misuse = std::get_if<map_misuse_event>(&event->body))
    handle(*misuse);
}

void WatchSession::handle(const image_entry_event &event) {
  if (auto target = targets_.find(event.header.target); target != targets_.end())
    target->second->set_load_bias({event.load_bias});
}

// The runtime is about to end the process: who else used the map can be read for a few
// milliseconds yet.
void WatchSession::handle(const map_misuse_event &event) {
  auto entry = targets_.find(event.header.target);
  if (event.misuse != MAP_MISUSE_CONCURRENT || entry == targets_.end())
    return;
  const WatchedTarget &target = *entry->second;
  auto snapshot = snapshot_goroutines(target.process().key, target.facts(),
                                      target.load_bias().value_or(LoadBias{}), event.header.target);
  if (!snapshot) {
    note(fmt::format("the other goroutines could not be read when process {} misused a map: {}",
                     target.process().key.pid, snapshot.error().message()));
    return;
  }
  observer_.goroutines(*snapshot);
}

void WatchSession::handle(const process_exec_event &event) {
  std::uint16_t index = event.header.target;
  auto target = targets_.find(index);
  if (target != targets_.end()) {
    // Our own child made the exec that was awaited, of the very path that was opened, so a process
    // that ended before this look at it ran that. Where it runs another image by now, either that
    // path had been given another file, or it has made another exec, which took the flag away: then
    // this is not yet the end of the first image, whose records stand between the two.
    if (target->second->take_awaited_exec() &&
        (target->second->running_image() != WatchedTarget::Image::another ||
         !(tracer_.target_at(index).flags & TARGET_GO)))
      return;
    watch_new_image(static_cast<pid_t>(target->second->process().key.pid), event.header.time_ns,
                    index);
  } else if ((options_.follow || options_.every_go_program) && !is_over()) {
    // A look at all processes may have found it before its record was read here, and before or
    // after it became what the record tells.
    std::optional<std::uint32_t> found = target_of(event.header.tgid);
    if (found && targets_.at(*found)->running_image() != WatchedTarget::Image::another)
      return;
    watch_new_image(static_cast<pid_t>(event.header.tgid), event.header.time_ns,
                    static_cast<std::uint16_t>(found.value_or(EVENT_NO_TARGET)));
  }
}

// To place probes takes so long that on a host where many programs start, records would come faster
// than they are taken, and a drain would not end.
bool WatchSession::is_over() const {
  pollfd stopped{.fd = stop_fd_, .events = POLLIN, .revents = 0};
  return has_lasted() || (stop_fd_ >= 0 && ::poll(&stopped, 1, 0) > 0);
}

bool WatchSession::has_lasted() const {
  return options_.duration && started_ns_ != 0 &&
         now_ns() - started_ns_ >= static_cast<std::uint64_t>(options_.duration->count());
}

void WatchSession::handle(const process_exit_event &event) {
  // The end of the first one is the end of the run.
  if (targets_.contains(event.header.target) && event.header.target != first_)
    retire(event.header.target);
}

// A watched process, or a child of one, runs another executable now. What it did until its
// probes are placed was counted by the kernel side, but no operation of it was seen.
void WatchSession::watch_new_image(pid_t pid, std::uint64_t exec_time_ns, std::uint16_t old_index) {
  bool is_new = old_index == EVENT_NO_TARGET;
  if (!is_new)
    tracer_.unwatch_target(old_index); // the process is about to be another target
  auto target = WatchedTarget::running(tracer_, binaries_, pid, options_.probes, follow_flag());
  if (!is_new)
    retire(old_index); // last, since taking probes off needs the kernel 0.1 s
  if (!target) {
    // A process that is no Go program has no maps; one that ended unseen may have had some.
    bool may_have_had_maps = !is_new || target.error().code() == Errc::gone;
    if (may_have_had_maps || options_.follow)
      observer_.remark({may_have_had_maps,
                        fmt::format("process {} executed another program, which is not watched: {}",
                                    pid, target.error().message())});
    return;
  }
  auto gap_ms = (now_ns() - exec_time_ns) / 1'000'000;
  doubt(fmt::format("{} (process {}) ran for {} ms before its probes were placed",
                    (*target)->process().exe, pid, gap_ms));
  add(std::move(*target));
}

// Its image or its process is gone: what was counted of it stays, and its place gets free.
void WatchSession::retire(std::uint32_t index) {
  auto target = targets_.extract(index);
  tracer_.unwatch_target(index);
  target.mapped()->detach();
  tell_end(index);
}

void WatchSession::tell_end(std::uint32_t index) {
  TargetEnd end{index, tracer_.counts(index)};
  past_counts_ = sum_of(past_counts_, end.counts);
  observer_.target_end(end);
}

void WatchSession::drain() {
  tracer_.drain([this](std::span<const std::byte> record) { take(record); });
  observer_.drained();
}

target_counts WatchSession::counts() const {
  target_counts total = past_counts_;
  for (const auto &[index, target] : targets_)
    total = sum_of(total, tracer_.counts(index));
  return total;
}

void WatchSession::look_at_rates(std::uint64_t now) {
  if (rate_was_said_)
    return;
  std::uint64_t hits = hits_of(counts());
  std::uint64_t per_second =
      (hits - hits_seen_) * 1'000'000'000U / std::max<std::uint64_t>(now - looked_at_ns_, 1);
  hits_seen_ = hits;
  if (per_second < kHitsPerSecondHigh || options_.probes.depth <= Depth::rare)
    return;
  rate_was_said_ = true;
  options_.say(fmt::format("the target makes {} map operations a second, each of which costs it "
                           "about a microsecond while it is watched; --light watches the stack "
                           "alone and costs it nearly nothing",
                           per_second));
}

void WatchSession::watch_until_end(const StopSignals &signals, const Fd &pid_fd,
                                   const std::function<bool()> &wants_end) {
  stop_fd_ = signals.fd().get();
  for (;;) {
    Wake wake = wait_for(signals, pid_fd, tracer_.wake_fd(), kDrainInterval);
    drain();
    if (wake != Wake::timer || wants_end())
      return;
    if (has_lasted())
      return;
    std::uint64_t now = now_ns();
    if (now - looked_at_ns_ < kLookIntervalNs)
      continue;
    look_at_rates(now);
    if (options_.every_go_program)
      find_missed_programs();
    looked_at_ns_ = now;
  }
}

std::optional<CommandEnd> end_of(std::optional<HeldCommand> &command) {
  if (!command)
    return std::nullopt;
  std::optional<int> status = command->poll_status();
  if (!status)
    return CommandEnd{};
  if (WIFSIGNALED(*status))
    return CommandEnd{.exit_status = {}, .signal = WTERMSIG(*status)};
  return CommandEnd{.exit_status = WEXITSTATUS(*status), .signal = {}};
}

void WatchSession::finish(std::optional<HeldCommand> &command) {
  RunEnd end;
  end.time_ns = now_ns();
  tracer_.unwatch_system_calls();
  for (auto &[index, target] : targets_)
    target->detach();
  drain();
  for (const auto &[index, target] : targets_)
    tell_end(index);
  targets_.clear();
  end.events = tracer_.event_totals();
  end.cost.probe_hits = hits_of(past_counts_);
  end.command = end_of(command);
  end.cost.tool_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  observer_.end(end);
}

} // namespace

Result<> watch(const WatchOptions &options, RunObserver &observer,
               const std::function<bool()> &wants_end) {
  StopSignals signals = TRY(StopSignals::block());
  Fd pid_fd = TRY(look_first(options));
  WatchSession session{options, observer, TRY(Tracer::load(tracer_options(options)))};
  std::optional<HeldCommand> command;
  TRY(session.begin(command));
  // From here on all probes are placed, and nothing of the target has escaped them.
  TRY(keep_tracing_privileges());
  if (command)
    TRY(command->release());
  else
    options.say(session.describe_watch());

  session.watch_until_end(signals, command ? command->pid_fd() : pid_fd, wants_end);
  session.finish(command);
  return {};
}

} // namespace mapscope
