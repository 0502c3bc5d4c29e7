// Misuse of maps, as the runtime reports it; see event_misuse.h.
#include "pipeline/daemon/event_misuse.h"

#include <algorithm>
#include <set>
#include <utility>

#include "attach/plan.h"
#include "attach/process.h"
#include "attribute/system_calls.h"
#include "base/clock.h"
#include "decode/decode.h"
#include "pipeline/attacher.h"
#include "pipeline/goroutine_snapshot.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kMinuteNs = 60'000'000'000;

std::uint64_t as_ns(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{time}.count());
}

Result<ProbePlan> misuse_plan(const BinaryFacts &facts) {
  ProbeChoice choice;
  choice.windows = choice.heap_requests = false;
  choice.only.emplace(); // no operation
  choice.misuse = true;
  return plan_probes(facts, choice);
}

std::string sentence_about(const OtherGoroutine &other) {
  const std::string where = other.site ? fmt::format(" at {} ({}:{})", other.site->function,
                                                     other.site->file, other.site->line)
                                       : std::string{};
  switch (other.evidence) {
  case OtherGoroutine::Evidence::reported:
    return fmt::format("goroutine {} reported it as well{}", other.goroutine, where);
  case OtherGoroutine::Evidence::on_stack:
    return fmt::format("goroutine {} was in a map function with it{}", other.goroutine, where);
  case OtherGoroutine::Evidence::grew_it:
    return fmt::format("goroutine {} was the last other one to make it grow{}", other.goroutine,
                       where);
  }
  __builtin_unreachable();
}

MisuseSample sample_of(const TraceEvent &event, const MapMisuse &misuse) {
  MisuseSample sample;
  sample.time_ns = event.time_ns;
  sample.process = event.process;
  sample.message = misuse.message;
  sample.is_fatal = misuse.is_fatal;
  sample.type = misuse.type ? misuse.type->name : std::string{};
  if (const SourceFrame *site = site_of(event))
    sample.site = *site;
  sample.goroutine = event.goroutine.value_or(0);
  for (const OtherGoroutine &other : misuse.others)
    sample.others.push_back(sentence_about(other));
  return sample;
}

} // namespace

Result<Tracer *> EventMisuse::tracer_with_room() {
  std::map<const Tracer *, std::size_t> targets;
  for (const auto &[key, target] : targets_)
    ++targets[target.tracer];
  for (const auto &tracer : tracers_)
    if (targets[tracer.get()] < TARGETS_MAX)
      return tracer.get();
  TracerOptions options;
  options.only_misuse = true;
  options.targets_max = TARGETS_MAX;
  options.ring_bytes = tuning_.misuse_ring_bytes;
  options.call_table = call_table(this_machine());
  tracers_.push_back(std::make_unique<Tracer>(
      TRY_WHILE(Tracer::load(options), "watching for reports of misused maps")));
  return tracers_.back().get();
}

Result<> EventMisuse::add(const FoundProcess &process) { return add_again(process, 0); }

Result<> EventMisuse::add_again(const FoundProcess &process, unsigned attempts) {
  const ProcessKey key = process.process.key;
  if (targets_.contains(key))
    return {};
  if (targets_.size() >= tuning_.misuse_targets_max) {
    ++left_out_;
    return {};
  }
  Tracer *tracer = TRY(tracer_with_room());
  if (auto placed = place(process, *tracer); !placed && placed.error().code() != Errc::gone) {
    // Once or twice it may be that it has just executed its program, and does not tell all yet.
    constexpr unsigned kSoonAgain = 3;
    const auto pause = attempts < kSoonAgain ? std::chrono::milliseconds{1000} : tuning_.retry;
    paused_[key] = {process, now_ns() + as_ns(pause), attempts + 1};
  }
  return {};
}

Result<> EventMisuse::place(const FoundProcess &found, Tracer &tracer) {
  const ProcessKey key = found.process.key;
  const auto pid = static_cast<pid_t>(key.pid);
  const BinaryFacts &facts = found.binary->facts();
  ProbePlan plan = TRY(misuse_plan(facts));
  ProcessInfo process = TRY(find_process(pid));
  if (process.key != key)
    return fail(Errc::gone, "process {} has ended", pid);
  Target target;
  target.process = found;
  target.tracer = &tracer;
  target.bias = TRY(process_load_bias(pid, facts.entry));
  target.probes = plan.probes.size();
  plan.settings.goroutine_seen = 1;
  plan.settings.flags |= TARGET_BIAS_KNOWN;
  plan.settings.load_bias = target.bias.value;
  target.index = TRY(tracer.add_target(pid, plan.settings));
  auto links = place_probes(tracer, plan, process.executable, pid, target.index, std::nullopt);
  if (!links) {
    tracer.remove_target(target.index);
    return std::unexpected(links.error());
  }
  for (UprobeLinks &link : *links) // all are of one kind
    target.links = std::move(link);
  tracer.target_at(target.index).flags |= TARGET_WATCHED;
  targets_.emplace(key, std::move(target));
  return {};
}

void EventMisuse::forget(Target &target) {
  past_hits_ += target.tracer->misuse_hits(target.index);
  target.tracer->remove_target(target.index);
}

void EventMisuse::remove(ProcessKey process) {
  paused_.erase(process);
  if (!targets_.contains(process))
    return;
  drain(); // what it said last is told yet
  auto target = targets_.extract(process);
  target.mapped().links = UprobeLinks{};
  forget(target.mapped());
}

void EventMisuse::stop() {
  std::vector<UprobeLinks> links;
  for (auto &[key, target] : targets_)
    links.push_back(std::move(target.links));
  take_off_together(std::move(links));
  drain();
  for (auto &[key, target] : targets_)
    forget(target);
  targets_.clear();
  paused_.clear();
  for (const auto &tracer : tracers_)
    for (const event_stats &stats : tracer->event_totals())
      ring_full_ += stats.lost_ring_full;
  tracers_.clear();
}

std::vector<int> EventMisuse::wake_fds() const {
  std::vector<int> fds;
  for (const auto &tracer : tracers_)
    fds.push_back(tracer->wake_fd());
  return fds;
}

EventMisuse::Target *EventMisuse::find(const Tracer &tracer, std::uint32_t index) {
  for (auto &[key, target] : targets_)
    if (target.tracer == &tracer && target.index == index)
      return &target;
  return nullptr;
}

TraceAttributor &EventMisuse::attributor_of(Target &target) {
  if (!target.attributor) {
    const FoundProcess &process = target.process;
    target.attributor = std::make_unique<TraceAttributor>(
        process.process.key, process.binary->facts(), *process.binary, false);
    target.attributor->set_load_bias(target.bias);
  }
  return *target.attributor;
}

void EventMisuse::take(const Tracer &tracer, std::span<const std::byte> record) {
  auto event = decode(record);
  if (!event) {
    ++malformed_;
    return;
  }
  Target *target = find(tracer, event->header.target);
  if (target == nullptr)
    return; // it has ended, and all that it said before was told then
  if (const auto *stack = std::get_if<stack_event>(&event->body)) {
    attributor_of(*target).add(*stack);
  } else if (const auto *misuse = std::get_if<map_misuse_event>(&event->body)) {
    attributor_of(*target).add(*misuse);
    // The runtime ends the process in some milliseconds: who else used the map is read now.
    if (misuse->misuse != MAP_MISUSE_CONCURRENT)
      return;
    if (auto snapshot =
            snapshot_goroutines(target->process.process.key, target->process.binary->facts(),
                                target->bias, target->index))
      attributor_of(*target).add(*snapshot);
  }
}

void EventMisuse::drain() {
  for (const auto &tracer : tracers_)
    tracer->drain([&](std::span<const std::byte> record) { take(*tracer, record); });
  for (auto &[key, target] : targets_)
    if (target.attributor)
      tell(target);
}

void EventMisuse::look(std::uint64_t now) {
  constexpr std::uint64_t kSecondNs = 1'000'000'000;
  if (now - looked_ns_ < kSecondNs)
    return;
  const std::uint64_t seconds = std::max<std::uint64_t>((now - looked_ns_) / kSecondNs, 1);
  looked_ns_ = now;
  std::vector<FoundProcess> busy;
  std::vector<Pause> rested;
  for (auto &[key, target] : targets_) {
    const std::uint64_t hits = target.tracer->misuse_hits(target.index);
    if (hits - target.hits_seen > seconds * tuning_.misuse_hits_per_second)
      busy.push_back(target.process);
    target.hits_seen = hits;
  }
  for (const auto &[key, pause] : paused_)
    if (now >= pause.until_ns)
      rested.push_back(pause);
  for (const FoundProcess &process : busy) {
    remove(process.process.key);
    paused_[process.process.key] = {process, now + as_ns(tuning_.retry)};
    ++pauses_;
  }
  for (const Pause &pause : rested) {
    paused_.erase(pause.process.process.key);
    if (!add_again(pause.process, pause.attempts))
      paused_[pause.process.process.key] = {pause.process, now + kSecondNs, pause.attempts};
  }
}

void EventMisuse::tell(Target &target) {
  for (const TraceEvent &event : target.attributor->take_all()) {
    const auto *misuse = std::get_if<std::shared_ptr<const MapMisuse>>(&event.what);
    if (misuse == nullptr || !*misuse)
      continue;
    const std::uint64_t now = now_ns();
    if (now - target.minute_start_ns >= kMinuteNs) {
      target.minute_start_ns = now;
      target.told_this_minute = 0;
    }
    if (++target.told_this_minute > tuning_.misuses_per_minute)
      ++repeated_;
    else
      hear_(sample_of(event, **misuse));
  }
}

EventMisuse::Figures EventMisuse::figures(ProcessKey process) const {
  Figures figures;
  figures.refused = paused_.contains(process);
  if (auto target = targets_.find(process); target != targets_.end()) {
    figures.probes = target->second.probes;
    figures.hits = target->second.tracer->misuse_hits(target->second.index);
  }
  return figures;
}

std::uint64_t EventMisuse::hits() const {
  std::uint64_t hits = past_hits_;
  for (const auto &[key, target] : targets_)
    hits += target.tracer->misuse_hits(target.index);
  return hits;
}

std::map<std::string, std::uint64_t> EventMisuse::lost() const {
  std::uint64_t ring_full = ring_full_;
  for (const auto &tracer : tracers_)
    for (const event_stats &stats : tracer->event_totals())
      ring_full += stats.lost_ring_full;
  std::map<std::string, std::uint64_t> lost;
  for (const auto &[name, count] : {std::pair{"misuse_ring_full", ring_full},
                                    {"misuse_targets_left_out", left_out_},
                                    {"misuse_repeats_not_told", repeated_},
                                    {"misuse_probes_paused", pauses_},
                                    {"misuse_records_malformed", malformed_}})
    if (count > 0)
      lost[name] = count;
  return lost;
}

} // namespace mapscope
