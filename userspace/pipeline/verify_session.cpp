// One run of `verify`; see verify_session.h.
#include "pipeline/verify_session.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <memory>

#include "attribute/system_calls.h"
#include "base/clock.h"
#include "base/overloaded.h"
#include "decode/decode.h"
#include "judge/verify_judge.h"
#include "kernel/process_ids.h"
#include "kernel/tracer.h"
#include "pipeline/event_loop.h"
#include "pipeline/privileges.h"
#include "pipeline/verify_scope.h"
#include "pipeline/watched_target.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

// How often the ring buffer is drained: a wake-up of ours for each record would cost the
// target as much as forty records.
constexpr auto kDrainInterval = 10ms;
constexpr std::uint32_t kFollowedMax = 16;
constexpr std::uint8_t kExamplesMax = 8;
// From here on probes take more than a fifth of a core of the target.
constexpr std::uint64_t kHitsPerSecondHigh = 200'000;

TracerOptions tracer_options(const VerifyOptions &options) {
  TracerOptions tracer;
  tracer.settings.use_windows = options.depth != Depth::light;
  tracer.settings.classify_outside = 1;
  tracer.settings.emit_call_samples = kExamplesMax;
  tracer.settings.emit_memory_calls = 1;
  tracer.call_table = call_table(this_machine());
  tracer.probes_returns = options.depth == Depth::exact;
  tracer.ring_bytes = options.ring_bytes;
  tracer.targets_max = options.follow ? kFollowedMax : 2; // two: the target may exec
  return tracer;
}

// All members of target_counts are counters of 64 bits.
target_counts sum_of(const target_counts &left, const target_counts &right) {
  using Words = std::array<std::uint64_t, sizeof(target_counts) / sizeof(std::uint64_t)>;
  auto words = std::bit_cast<Words>(left);
  std::ranges::transform(words, std::bit_cast<Words>(right), words.begin(), std::plus{});
  return std::bit_cast<target_counts>(words);
}

class VerifySession {
public:
  VerifySession(const VerifyOptions &options, Tracer tracer)
      : options_(options), tracer_(std::move(tracer)) {}

  Result<> begin(std::optional<HeldCommand> &command);
  void watch_until_end(const StopSignals &signals, const Fd &pid_fd);
  Verdict finish();
  // That all is in place, for who waits to put the target to work.
  std::string describe_watch() const {
    return fmt::format("watching process {} ({}, {}); Ctrl-C ends it", first_->process().key.pid,
                       first_->process().exe, first_->facts().go_version);
  }

private:
  Result<std::unique_ptr<WatchedTarget>> hold(std::optional<HeldCommand> &command);
  std::uint32_t follow_flag() const {
    return options_.follow ? static_cast<std::uint32_t>(TARGET_FOLLOW) : 0U;
  }
  void take(std::span<const std::byte> record);
  void handle(const process_exec_event &event);
  void handle(const process_exit_event &event);
  void handle(const process_fork_event &) {}
  void handle(const image_entry_event &event);
  void handle(const map_operation_event &) {}
  void handle(const heap_request_event &) {}
  void handle(const stack_event &) {}
  void handle(const map_misuse_event &) {}
  WatchedTarget *target_of(const event_header &header);
  template <typename Call> void handle_call(const event_header &header, const Call &call);
  void watch_new_image(pid_t pid, std::uint64_t exec_time_ns, std::uint16_t old_index);
  void retire(std::uint32_t index);
  void drain();
  void look_at_rates();
  void take_rest(WatchedTarget &target);
  void note_attribution(const CallAttributor::Counts &counts);
  VerifyRun describe_run();
  VerifyCounts count();

  const VerifyOptions &options_;
  Tracer tracer_;
  BinaryCache binaries_;
  VerifyJudge judge_;
  std::map<std::uint32_t, std::shared_ptr<WatchedTarget>> targets_; // by index
  std::shared_ptr<WatchedTarget> first_;                            // whom the report is about
  target_counts past_counts_{};                                     // of those that are gone
  std::uint64_t started_ns_ = 0;
  std::uint64_t ended_ns_ = 0;
  std::uint64_t hits_seen_ = 0;
  std::uint64_t hits_seen_at_ns_ = 0;
  bool rate_was_said_ = false;
  DropCounts dropped_{};
  std::vector<std::string> doubts_, notes_;
};

Result<std::unique_ptr<WatchedTarget>> VerifySession::hold(std::optional<HeldCommand> &command) {
  ResolvedCommand resolved = TRY(resolve_command(options_.command.front()));
  if (is_script(resolved.file))
    return fail(Errc::unsupported,
                "{} is a script: name the Go program that it starts, or give -p PID once that runs",
                resolved.path);
  command.emplace(TRY(HeldCommand::start(resolved.path, options_.command, options_.run_as)));
  return WatchedTarget::held(tracer_, binaries_, command->pid(), std::move(resolved),
                             options_.depth, follow_flag());
}

Result<> VerifySession::begin(std::optional<HeldCommand> &command) {
  TRY(tracer_.watch_processes());
  if (options_.pid)
    first_ = TRY(
        WatchedTarget::running(tracer_, binaries_, *options_.pid, options_.depth, follow_flag()));
  else
    first_ = TRY(hold(command));
  targets_.emplace(first_->index(), first_);
  TRY(tracer_.watch_system_calls());
  if (!tracer_.sees_io_uring())
    notes_.emplace_back("this kernel does not tell io_uring submissions");
  started_ns_ = hits_seen_at_ns_ = now_ns();
  return {};
}

void VerifySession::take(std::span<const std::byte> record) {
  auto event = decode(record);
  if (!event) {
    ++dropped_[static_cast<std::size_t>(DropReason::malformed)];
    return;
  }
  const event_header &header = event->header;
  std::visit(overloaded{[&](const system_call_event &call) { handle_call(header, call); },
                        [&](const system_call_detail_event &call) { handle_call(header, call); },
                        [&](const system_call_result_event &call) { handle_call(header, call); },
                        [&](const io_uring_submit_event &call) { handle_call(header, call); },
                        [&](const auto &other) { handle(other); }},
             event->body);
}

// Between an exec and the new probes, records still name the place of the old image.
WatchedTarget *VerifySession::target_of(const event_header &header) {
  if (auto target = targets_.find(header.target); target != targets_.end())
    return target->second.get();
  auto same_process = std::ranges::find_if(targets_, [&](const auto &entry) {
    return tracer_.target_at(entry.first).tgid == header.tgid;
  });
  return same_process == targets_.end() ? nullptr : same_process->second.get();
}

template <typename Call>
void VerifySession::handle_call(const event_header &header, const Call &call) {
  WatchedTarget *target = target_of(header);
  if (target == nullptr) {
    ++dropped_[static_cast<std::size_t>(DropReason::unknown_target)];
    return;
  }
  if constexpr (std::is_same_v<Call, system_call_result_event>) {
    if (!target->attributor().add(call))
      ++dropped_[static_cast<std::size_t>(DropReason::unpaired_result)];
  } else {
    target->attributor().add(call);
  }
}

void VerifySession::handle(const image_entry_event &event) {
  if (auto target = targets_.find(event.header.target); target != targets_.end())
    target->second->set_load_bias({event.load_bias});
}

void VerifySession::handle(const process_exec_event &event) {
  std::uint16_t index = event.header.target;
  auto target = targets_.find(index);
  if (target != targets_.end()) {
    // The exec that was awaited leaves the flag. Our own child made it, of the very path that
    // was opened, so a process that ended before this look at it ran that.
    bool was_awaited = tracer_.target_at(index).flags & TARGET_GO;
    if (was_awaited && target->second->running_image() != WatchedTarget::Image::another)
      return;
    watch_new_image(static_cast<pid_t>(target->second->process().key.pid), event.header.time_ns,
                    index);
  } else if (options_.follow) {
    watch_new_image(static_cast<pid_t>(event.header.tgid), event.header.time_ns, EVENT_NO_TARGET);
  }
}

void VerifySession::handle(const process_exit_event &event) {
  // The first one stays: its end is the end of the run.
  if (auto target = targets_.find(event.header.target);
      target != targets_.end() && target->second != first_)
    retire(event.header.target);
}

// A watched process, or a child of one, runs another executable now. What it did until its
// probes are placed was counted by the kernel side, but no operation of it was seen.
void VerifySession::watch_new_image(pid_t pid, std::uint64_t exec_time_ns,
                                    std::uint16_t old_index) {
  bool is_child = old_index == EVENT_NO_TARGET;
  if (!is_child)
    tracer_.unwatch_target(old_index); // the process is about to be another target
  auto target = WatchedTarget::running(tracer_, binaries_, pid, options_.depth, follow_flag());
  if (!is_child)
    retire(old_index); // last, since taking probes off needs the kernel 0.1 s
  if (!target) {
    std::string sentence =
        fmt::format("process {} executed another program, which is not watched: {}", pid,
                    target.error().message());
    // A child that is no Go program has no maps; one that ended unseen may have had some.
    bool may_have_had_maps = !is_child || target.error().code() == Errc::gone;
    (may_have_had_maps ? doubts_ : notes_).push_back(std::move(sentence));
    return;
  }
  auto gap_ms = (now_ns() - exec_time_ns) / 1'000'000;
  doubts_.push_back(fmt::format("{} (process {}) ran for {} ms before its probes were placed",
                                (*target)->process().exe, pid, gap_ms));
  std::uint32_t index = (*target)->index();
  targets_.emplace(index, std::move(*target));
}

// Its image or its process is gone: what was counted of it stays, and its place gets free.
void VerifySession::retire(std::uint32_t index) {
  auto target = targets_.find(index);
  tracer_.unwatch_target(index);
  target->second->detach();
  take_rest(*target->second);
  targets_.erase(target);
}

// The calls that still wait for a result, and the counters.
void VerifySession::take_rest(WatchedTarget &target) {
  for (const AttributedCall &call : target.attributor().take_all())
    judge_.add(call);
  note_attribution(target.attributor().counts());
  past_counts_ = sum_of(past_counts_, tracer_.counts(target.index()));
}

void VerifySession::drain() {
  tracer_.drain([this](std::span<const std::byte> record) { take(record); });
  for (auto &[index, target] : targets_)
    for (const AttributedCall &call : target->attributor().take())
      judge_.add(call);
}

std::uint64_t hits_of(const target_counts &counts) {
  std::uint64_t hits = counts.heap_grown_count[0] + counts.heap_grown_count[1] +
                       counts.large_allocation_count[0] + counts.large_allocation_count[1];
  for (std::uint64_t operations : counts.operations)
    hits += operations;
  return hits;
}

void VerifySession::look_at_rates() {
  std::uint64_t now = now_ns();
  if (rate_was_said_ || now - hits_seen_at_ns_ < 1'000'000'000U)
    return;
  std::uint64_t hits = hits_of(count().kernel);
  std::uint64_t per_second =
      (hits - hits_seen_) * 1'000'000'000U / std::max<std::uint64_t>(now - hits_seen_at_ns_, 1);
  hits_seen_ = hits;
  hits_seen_at_ns_ = now;
  if (per_second < kHitsPerSecondHigh || options_.depth == Depth::light)
    return;
  rate_was_said_ = true;
  options_.say(fmt::format("the target makes {} map operations a second, each of which costs it "
                           "about a microsecond while it is watched; --light watches the stack "
                           "alone and costs it nearly nothing",
                           per_second));
}

void VerifySession::watch_until_end(const StopSignals &signals, const Fd &pid_fd) {
  for (;;) {
    Wake wake = wait_for(signals, pid_fd, kDrainInterval);
    drain();
    if (wake != Wake::timer)
      break;
    if (options_.duration &&
        now_ns() - started_ns_ >= static_cast<std::uint64_t>(options_.duration->count()))
      break;
    look_at_rates();
  }
  ended_ns_ = now_ns();
}

VerifyCounts VerifySession::count() {
  VerifyCounts counts;
  counts.kernel = past_counts_;
  for (const auto &[index, target] : targets_)
    counts.kernel = sum_of(counts.kernel, tracer_.counts(index));
  counts.calls = named_counts(this_machine(), counts.kernel);
  counts.events = tracer_.event_totals();
  counts.dropped = dropped_;
  return counts;
}

VerifyRun VerifySession::describe_run() {
  VerifyRun run;
  const BinaryFacts &facts = first_->facts();
  run.target = {first_->process().key, first_->process().exe, facts.go_version,
                facts.map_implementation, facts.build_id};
  run.scope = scope_of(facts, first_->plan(), options_.depth);
  run.duration_ns = ended_ns_ - started_ns_;
  run.cost.tool_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  run.notes = notes_;
  std::ranges::copy(facts.warnings, std::back_inserter(run.notes));
  std::ranges::copy(first_->plan().warnings, std::back_inserter(run.notes));
  run.doubts = doubts_;
  return run;
}

void VerifySession::note_attribution(const CallAttributor::Counts &counts) {
  if (counts.unsymbolized > 0)
    notes_.push_back(fmt::format("{} addresses could not be turned into source lines: {}",
                                 counts.unsymbolized, counts.symbolizer_error));
  if (counts.waiting_full > 0)
    notes_.push_back(
        fmt::format("{} calls are told without their results, since too many were under way",
                    counts.waiting_full));
}

Verdict VerifySession::finish() {
  tracer_.unwatch_system_calls();
  for (auto &[index, target] : targets_)
    target->detach();
  drain();
  for (auto &[index, target] : targets_)
    take_rest(*target);
  targets_.clear();
  if (!first_->knows_load_bias())
    doubts_.emplace_back("the program never reached its first instruction, so where it was loaded "
                         "is not known, and no call could be attributed");
  VerifyCounts counts = count();
  VerifyRun run = describe_run();
  run.cost.probe_hits = hits_of(counts.kernel);
  return judge_.finish(std::move(run), std::move(counts));
}

CommandEnd end_of(HeldCommand &command) {
  std::optional<int> status = command.poll_status();
  if (!status)
    return {};
  if (WIFSIGNALED(*status))
    return {.exit_status = {}, .signal = WTERMSIG(*status)};
  return {.exit_status = WEXITSTATUS(*status), .signal = {}};
}

} // namespace

Result<Verdict> run_verify(const VerifyOptions &options) {
  StopSignals signals = TRY(StopSignals::block());

  // Before the kernel is touched: is there something to look at?
  if (options.follow && !in_initial_pid_namespace())
    return fail(Errc::unsupported, "--follow works in the host's pid namespace only: the kernel "
                                   "tells new processes by the numbers they have there");
  Fd pid_fd;
  if (options.pid) {
    pid_fd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, *options.pid, 0))};
    if (!pid_fd)
      return std::unexpected(Error::from_errno(fmt::format("process {}", *options.pid)));
    TRY(find_process(*options.pid));
  } else {
    TRY(resolve_command(options.command.front()));
  }

  VerifySession session{options, TRY(Tracer::load(tracer_options(options)))};
  std::optional<HeldCommand> command;
  TRY(session.begin(command));
  // From here on all probes are placed, and nothing of the target has escaped them.
  TRY(keep_tracing_privileges());
  if (command)
    TRY(command->release());
  else
    options.say(session.describe_watch());

  session.watch_until_end(signals, command ? command->pid_fd() : pid_fd);

  Verdict verdict = session.finish();
  if (command)
    verdict.run.command = end_of(*command);
  return verdict;
}

} // namespace mapscope
