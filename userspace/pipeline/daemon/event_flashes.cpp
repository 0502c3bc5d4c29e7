// Flashes for growth and creation; see event_flashes.h.
#include "pipeline/daemon/event_flashes.h"

#include <algorithm>
#include <utility>

#include "attach/process.h"
#include "base/clock.h"
#include "pipeline/attacher.h"
#include "pipeline/daemon/event_sites.h"

namespace mapscope {
namespace {

// A hit is dearer by so much where the kernel has to single-step.
constexpr std::uint64_t kSingleStepFactor = 15;
// A fifth of what is promised is kept back, see ProbeBudget.
constexpr double kPlannedPart = 0.8;
// Taking probes off and placing them, in CPU time of the process: a few system calls' worth.
constexpr std::uint64_t kPlacingNs = 50'000;
// How often the hits of a flash are looked at, if they are many; and if they are few.
constexpr std::uint64_t kLookAtHitsNs = 1'000'000, kLookAtFewHitsNs = 16'000'000;
// A process that used less since the last look did nothing that matters.
constexpr std::uint64_t kIdleCpuNs = 1'000'000;

ProbeBudget budget_of(double share, std::uint64_t hit_ns) {
  return {.share = share * kPlannedPart, .hit_ns = hit_ns, .placing_ns = kPlacingNs};
}

} // namespace

EventFlashes::Subject *EventFlashes::find(ProcessKey process) {
  auto subject = subjects_.find(process);
  return subject == subjects_.end() ? nullptr : &subject->second;
}

std::optional<EventFlashes::Subject> EventFlashes::subject_of(const FoundProcess &process) const {
  const BinaryFacts &facts = process.binary->facts();
  std::vector<Point> points;
  for (const auto &[operation, found] : facts.operations)
    if (operation < MAP_OPERATION_COUNT && operations_.test(operation))
      for (const ProbePoint &point : found)
        points.push_back({point, operation});
  const auto pid = static_cast<pid_t>(process.process.key.pid);
  auto cpu = CpuClock::of(pid);
  if (points.empty() || !cpu)
    return std::nullopt;
  const bool emulated =
      std::ranges::all_of(points, [](const Point &point) { return point.probe.emulated; });
  const std::uint64_t hit_ns = emulated ? kEventHitNs : kEventHitNs * kSingleStepFactor;
  std::optional<Subject> subject{std::in_place, process, *cpu,
                                 FlashPlan{budget_of(share_, hit_ns), FlashLimits{}}};
  subject->points = std::move(points);
  subject->hit_ns = hit_ns;
  subject->span_start_ns = subject->look_at_ns = now_ns();
  return subject;
}

void EventFlashes::configure(OperationSet operations, double share) {
  if (operations == operations_ && share == share_)
    return;
  end();
  operations_ = operations;
  share_ = share;
  Subjects old = std::exchange(subjects_, {});
  for (const auto &[id, subject] : old) {
    add(subject.process);
    if (Subject *again = find(subject.process.process.key))
      again->figures = subject.figures;
  }
  if (!is_wanted())
    counter_.reset();
}

void EventFlashes::add(const FoundProcess &process) {
  if (auto subject = subject_of(process)) {
    subjects_.insert_or_assign(process.process.key, std::move(*subject));
    look_at_ns_ = std::min(look_at_ns_, now_ns());
  }
}

void EventFlashes::remove(ProcessKey process) {
  if (active_ && active_->process == process)
    end(); // also clears the table for the next one
  subjects_.erase(process);
}

std::optional<std::uint64_t> EventFlashes::next_ns() const {
  if (active_)
    return std::min(active_->start_ns + active_->flash.duration_ns, active_->look_at_ns);
  if (!is_wanted() || subjects_.empty())
    return std::nullopt;
  return look_at_ns_;
}

Result<> EventFlashes::step(std::uint64_t now) {
  if (active_) {
    if (goes_on(now))
      return {};
    end();
  }
  if (!is_wanted() || subjects_.empty() || now < look_at_ns_)
    return {};
  return look(now);
}

// Whoever has waited longest and has earned it is next; samples that are due are told.
Result<> EventFlashes::look(std::uint64_t now) {
  look_at_ns_ = now + as_ns(tuning_.look);
  for (auto &[id, subject] : subjects_)
    tell_rates(subject, now);
  std::vector<Subject *> due;
  for (auto &[id, subject] : subjects_)
    if (subject.look_at_ns <= now)
      due.push_back(&subject);
  std::ranges::sort(due, {}, &Subject::look_at_ns);
  if (now < place_at_ns_)
    return {};
  for (Subject *subject : due) {
    auto flash = wants_flash(*subject, now);
    if (!flash)
      continue;
    look_at_ns_ = now; // and then the next one
    const std::uint64_t own_cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    auto begun = begin(*subject, *flash);
    rest_after(now_ns(CLOCK_THREAD_CPUTIME_ID) - own_cpu_ns);
    return begun;
  }
  return {};
}

// Nothing: it has to run for longer yet, and is looked at later.
std::optional<Flash> EventFlashes::wants_flash(Subject &subject, std::uint64_t now) const {
  const std::uint64_t cpu_ns = subject.cpu.since_start_ns();
  const std::uint64_t used_ns = cpu_ns - std::min(cpu_ns, subject.cpu_seen_ns);
  // Also the first one has to be earned, by a process that does something.
  const auto placing_ns = static_cast<std::int64_t>(subject.plan.governor().budget().placing_ns);
  if (subject.plan.governor().credit_ns(cpu_ns) > placing_ns && used_ns >= kIdleCpuNs)
    if (auto flash = subject.plan.next(cpu_ns))
      return flash;
  subject.look_at_ns = now + as_ns(tuning_.pause);
  return std::nullopt;
}

Result<> EventFlashes::begin(Subject &subject, const Flash &flash) {
  if (!counter_)
    counter_ = TRY_WHILE(SiteCounter::load(tuning_.sites_max), "counting growths by line");
  Active active;
  active.process = subject.process.process.key;
  active.flash = flash;
  active.placing_ns = now_ns();
  active.placing_cpu_ns = subject.cpu.since_start_ns();
  active.before = counter_->counts();
  if (auto placed = place(subject, active); !placed) {
    if (placed.error().code() != Errc::gone)
      refuse(subject, now_ns());
    subject.look_at_ns = std::max(subject.look_at_ns, now_ns() + as_ns(tuning_.pause));
    return {};
  }
  active.start_cpu_ns = subject.cpu.since_start_ns();
  active.start_ns = now_ns();
  active.look_at_ns = active.start_ns + kLookAtHitsNs;
  counter_->start_counting();
  active_ = std::move(active);
  return {};
}

Result<> EventFlashes::place(Subject &subject, Active &active) {
  const ProcessKey key = subject.process.process.key;
  ProcessInfo process = TRY(find_process(static_cast<pid_t>(key.pid)));
  if (process.key != key)
    return fail(Errc::gone, "process {} has ended", key.pid);
  std::vector<UprobeSite> sites;
  const std::size_t turn = subject.turns++;
  for (std::size_t i = 0; i < subject.points.size(); ++i) {
    // Taking off single links takes as long as watching does: then one function at a time.
    if (!has_uprobe_multi() && i != turn % subject.points.size())
      continue;
    const auto &[probe, operation] = subject.points[i];
    TRY(check_bytes(process.executable, probe.function, probe.offset, probe.expected));
    sites.push_back({probe.offset, PROBE_COOKIE(operation, false, 0) |
                                       PROBE_COOKIE_STACK_CHECK(probe.on_stack_check)});
    active.operations.set(operation);
  }
  const BinaryFacts &facts = subject.process.binary->facts();
  const ElfRange &runtime = facts.runtime_text;
  if (!subject.bias)
    subject.bias = TRY(process_load_bias(static_cast<pid_t>(key.pid), facts.entry));
  counter_->prepare({.runtime_start = subject.bias->to_process(runtime.start).value,
                     .runtime_bytes = runtime.size_bytes,
                     .image = subject.image});
  active.links = TRY(counter_->place(fmt::format("/proc/self/fd/{}", process.executable.get()),
                                     static_cast<pid_t>(key.pid), std::move(sites)));
  return {};
}

void EventFlashes::refuse(Subject &subject, std::uint64_t now) {
  ++subject.figures.refused;
  ++totals_.refused;
  // Once or twice it may be that it has just executed its program, and does not tell all yet.
  constexpr std::uint64_t kSoonAgain = 3;
  const auto pause = subject.figures.refused < kSoonAgain ? tuning_.pause : tuning_.retry;
  subject.look_at_ns = now + as_ns(pause);
}

void EventFlashes::rest_after(std::uint64_t own_cpu_ns) {
  place_at_ns_ =
      std::max(place_at_ns_, now_ns()) +
      static_cast<std::uint64_t>(static_cast<double>(own_cpu_ns) / tuning_.placing_share);
}

// Where hits are few, as much time may pass until the next look as has passed already: twice as
// many hits as now are still few.
bool EventFlashes::goes_on(std::uint64_t now) {
  constexpr std::uint64_t kFewPart = 8;
  if (!active_ || now >= active_->start_ns + active_->flash.duration_ns)
    return false;
  if (now < active_->look_at_ns)
    return true;
  const std::uint64_t hits = counter_->counts().hits - active_->before.hits;
  if (hits >= active_->flash.hits_max)
    return false;
  const std::uint64_t longest_ns =
      hits < active_->flash.hits_max / kFewPart ? kLookAtFewHitsNs : kLookAtHitsNs;
  active_->look_at_ns = now + std::clamp(now - active_->start_ns, kLookAtHitsNs, longest_ns);
  return true;
}

void EventFlashes::end() {
  if (!active_)
    return;
  const std::uint64_t own_cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  finish(*std::exchange(active_, std::nullopt));
  rest_after(now_ns(CLOCK_THREAD_CPUTIME_ID) - own_cpu_ns);
}

void EventFlashes::finish(Active active) {
  counter_->stop_counting();
  Subject *subject = find(active.process);
  const std::uint64_t stopped_ns = now_ns();
  const std::uint64_t cpu_ns = subject != nullptr ? subject->cpu.since_start_ns() : 0;
  const map_site_counts counted = counter_->counts();
  active.links = UprobeLinks{};
  auto sites = counter_->take();
  if (subject == nullptr)
    return;
  const map_site_counts after = counter_->counts();
  FlashOutcome outcome;
  outcome.hits = after.hits - active.before.hits;
  outcome.watched_ns = stopped_ns - active.start_ns;
  outcome.attached_ns = now_ns() - active.placing_ns;
  const std::uint64_t cpu_after_ns = subject->cpu.since_start_ns();
  outcome.cpu_ns = cpu_after_ns - std::min(cpu_after_ns, active.placing_cpu_ns);
  subject->plan.add(outcome);
  subject->image = counter_->image();
  subject->cpu_seen_ns = cpu_after_ns;
  subject->look_at_ns = now_ns() + as_ns(tuning_.pause);
  const std::uint64_t cost_ns = std::min(outcome.hits * subject->hit_ns, outcome.cpu_ns);
  for (Figures *figures : {&subject->figures, &totals_}) {
    ++figures->flashes;
    figures->hits += outcome.hits;
    figures->cost_ns += cost_ns + kPlacingNs;
  }
  note_losses(*subject, active.before, after);
  if (after.of_another_image != active.before.of_another_image) {
    // It has executed a program: what was seen before is of the old one.
    subject->account.clear();
    subject->image = 0;
    return;
  }
  WatchedMoment moment{.watched_ns = outcome.watched_ns,
                       .cpu_ns = cpu_ns - std::min(cpu_ns, active.start_cpu_ns),
                       .overhead_ns = (counted.counted - active.before.counted) * subject->hit_ns,
                       .operations = active.operations};
  if (sites)
    subject->account.add(moment, *sites);
  else
    ++lost_["rate_table_unreadable"];
}

void EventFlashes::note_losses(Subject &subject, const map_site_counts &before,
                               const map_site_counts &after) {
  const std::uint64_t full = after.lost_table_full - before.lost_table_full;
  const std::uint64_t unreadable = after.lost_unreadable - before.lost_unreadable;
  subject.lost += full + unreadable;
  if (full > 0)
    lost_["rate_table_full"] += full;
  if (unreadable > 0)
    lost_["rate_stack_unreadable"] += unreadable;
}

void EventFlashes::tell_rates(Subject &subject, std::uint64_t now) {
  const std::uint64_t elapsed_ns = now - subject.span_start_ns;
  if (elapsed_ns < as_ns(tuning_.rate_window))
    return;
  const std::size_t moments = subject.account.moments().size();
  const std::uint64_t cpu_ns = subject.cpu.since_start_ns();
  // More moments may come, unless it rests: then what there is says it all.
  const bool rests = cpu_ns - std::min(cpu_ns, subject.cpu_seen_ns) < kIdleCpuNs;
  if (moments < tuning_.moments_min && !rests && elapsed_ns < as_ns(tuning_.rate_window_max))
    return;
  const std::uint64_t used_ns = cpu_ns - std::min(cpu_ns, subject.span_cpu_ns);
  const FoundProcess &found = subject.process;
  RateSample sample;
  sample.time_ns = now;
  sample.process = found.process.key;
  sample.watched_ns = subject.account.watched_ns();
  sample.hits = subject.account.hits();
  sample.lost = subject.lost + subject.account.lost();
  if (subject.account.lost() > 0)
    lost_["rate_sites_full"] += subject.account.lost();
  if (moments > 0)
    sample.sites = name_site_rates(subject.account, found.binary->facts(), *found.binary,
                                   {subject.bias.value_or(LoadBias{}), used_ns, elapsed_ns});
  else if (used_ns < kIdleCpuNs)
    sample.watched_ns = elapsed_ns; // it did not run: nothing has happened, for certain
  // Nothing to say: it ran, but never enough to be watched.
  if (sample.watched_ns > 0 && (!sample.sites.empty() || subject.told_sites || moments > 0)) {
    subject.told_sites = !sample.sites.empty();
    hear_(std::move(sample));
  }
  subject.account.clear();
  subject.lost = 0;
  subject.span_start_ns = now;
  subject.span_cpu_ns = cpu_ns;
}

void EventFlashes::stop() {
  end();
  counter_.reset();
}

EventFlashes::Figures EventFlashes::figures(ProcessKey process) const {
  auto subject = subjects_.find(process);
  return subject == subjects_.end() ? Figures{} : subject->second.figures;
}

} // namespace mapscope
