// The schedule of verification windows; see event_verify.h.
#include "pipeline/daemon/event_verify.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/clock.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kHourNs = 3'600'000'000'000;
// Where nothing allows a window now.
constexpr std::uint64_t kTryAgainNs = 1'000'000'000;

std::uint64_t as_ns(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{time}.count());
}

// What comes back in an hour may have been saved as well: so in any hour it is at most twice.
std::uint64_t saved_max(double share) {
  return static_cast<std::uint64_t>(share * static_cast<double>(kHourNs));
}

bool is_young(ProcessKey process, std::uint64_t age_max_ns) {
  return now_ns(CLOCK_BOOTTIME) - process.start_time_ns < age_max_ns;
}

} // namespace

bool TimeBudget::take(std::uint64_t time_ns, std::uint64_t now_ns) {
  if (now_ns > at_ns_) {
    const double earned = static_cast<double>(now_ns - at_ns_) * share_;
    saved_ns_ = std::min(saved_max_ns_, saved_ns_ + static_cast<std::uint64_t>(earned));
    at_ns_ = now_ns;
  }
  if (saved_ns_ < time_ns)
    return false;
  saved_ns_ -= time_ns;
  return true;
}

EventVerify::EventVerify(const EventTuning &tuning, BinaryCache &binaries, Hear hear,
                         std::function<void()> wake)
    : tuning_(tuning), binaries_(binaries), hear_(std::move(hear)), wake_(std::move(wake)),
      scheduled_(tuning.scheduled_share, saved_max(tuning.scheduled_share), now_ns()),
      at_start_(tuning.at_start_share, saved_max(tuning.at_start_share), now_ns()) {}

void EventVerify::configure(bool is_wanted, const VerifyConfig &config) {
  const bool is_other = is_wanted != is_wanted_ || config.every != config_.every;
  is_wanted_ = is_wanted;
  config_ = config;
  if (!is_wanted_ && window_)
    window_->stop();
  const std::uint64_t now = now_ns();
  if (is_other)
    for (auto &[key, subject] : subjects_) {
      subject.wants_start = false;
      schedule(subject, now);
    }
}

void EventVerify::schedule(Subject &subject, std::uint64_t now) const {
  subject.due_ns.reset();
  if (config_.every.count() > 0)
    subject.due_ns = now + as_ns(config_.every);
}

void EventVerify::add(const FoundProcess &process, std::uint64_t now) {
  Subject subject;
  subject.process = process;
  subject.wants_start =
      config_.at_start.count() > 0 && is_young(process.process.key, as_ns(tuning_.new_process));
  schedule(subject, now);
  subjects_.insert_or_assign(process.process.key, std::move(subject));
}

void EventVerify::remove(ProcessKey process) {
  auto subject = subjects_.find(process);
  if (subject == subjects_.end())
    return;
  if (subject->second.is_in_window && window_)
    window_->leave(process);
  subjects_.erase(subject);
}

std::optional<std::uint64_t> EventVerify::next_ns() const {
  if (!is_wanted_)
    return std::nullopt;
  std::optional<std::uint64_t> next;
  for (const auto &[key, subject] : subjects_) {
    if (subject.is_in_window)
      continue;
    if (subject.wants_start)
      next = 0;
    else if (subject.due_ns && !window_)
      next = std::min(next.value_or(UINT64_MAX), std::max(*subject.due_ns, schedule_at_ns_));
  }
  return next ? std::optional{std::max(*next, retry_at_ns_)} : std::nullopt;
}

Result<> EventVerify::step(std::uint64_t now) {
  take_outcomes();
  bool has_ended = false;
  std::string problem;
  {
    const std::scoped_lock lock{mutex_};
    has_ended = std::exchange(has_ended_, false);
    problem = std::exchange(problem_, {});
    for (const auto &[name, count] : std::exchange(window_lost_, {}))
      lost_[name] += count;
  }
  if (has_ended) {
    window_.reset();
    for (auto &[key, subject] : subjects_)
      subject.is_in_window = false; // one that joined too late
  }
  if (!problem.empty()) {
    retry_at_ns_ = now + as_ns(tuning_.retry);
    return fail(Errc::unsupported, "{}", problem);
  }
  if (!is_wanted_ || now < retry_at_ns_)
    return {};
  start_those_at_start(now);
  start_those_due(now);
  return {};
}

void EventVerify::take_outcomes() {
  std::vector<VerifyWindow::Outcome> outcomes;
  {
    const std::scoped_lock lock{mutex_};
    std::swap(outcomes, outcomes_);
  }
  for (VerifyWindow::Outcome &outcome : outcomes)
    take(std::move(outcome));
}

void EventVerify::take(VerifyWindow::Outcome outcome) {
  probe_hits_ += outcome.probe_hits;
  auto subject = subjects_.find(outcome.process);
  // Of one that has gone, or that runs another program by now, nobody wants to know.
  if (subject == subjects_.end() || !subject->second.is_in_window)
    return;
  Figures &figures = subject->second.figures;
  subject->second.is_in_window = false;
  figures.probe_hits += outcome.probe_hits;
  if (!outcome.problem.empty()) {
    ++figures.refused;
    return;
  }
  ++figures.windows;
  figures.verdict = outcome.sample.verdict;
  hear_(std::move(outcome.sample));
}

void EventVerify::start_those_at_start(std::uint64_t now) {
  std::vector<VerifyWindow::Target> targets;
  for (auto &[key, subject] : subjects_) {
    if (!subject.wants_start || subject.is_in_window)
      continue;
    subject.wants_start = false;
    const VerifyWindow::Target target{subject.process, as_ns(config_.at_start), true};
    // Those that start together share what it costs the host: only what they add to it counts.
    const std::uint64_t open_until_ns = window_ || !targets.empty() ? window_end_ns_ : now;
    const std::uint64_t end_ns = std::max(now + target.duration_ns, open_until_ns);
    if (!at_start_.take(end_ns - std::max(open_until_ns, now), now)) {
      ++lost_["verify_starts_left_out"];
      continue;
    }
    window_end_ns_ = end_ns;
    if (window_ ? window_->join(target) : targets.size() < tuning_.window_targets) {
      subject.is_in_window = true;
      if (!window_)
        targets.push_back(target);
    } else {
      ++lost_["verify_starts_left_out"];
      if (subject.due_ns) // then soon after it
        subject.due_ns = now;
    }
  }
  if (!targets.empty())
    open(std::move(targets));
}

// Those that are due, and with them those that soon will be.
void EventVerify::start_those_due(std::uint64_t now) {
  if (window_ || now < schedule_at_ns_)
    return;
  const std::uint64_t soon_ns = now + as_ns(config_.every) / 4;
  std::vector<Subject *> due;
  for (auto &[key, subject] : subjects_)
    if (subject.due_ns && *subject.due_ns <= soon_ns)
      due.push_back(&subject);
  std::ranges::sort(due, {}, [](const Subject *subject) { return *subject->due_ns; });
  if (due.empty() || *due.front()->due_ns > now)
    return;
  if (!scheduled_.take(as_ns(config_.for_), now)) {
    schedule_at_ns_ = now + kTryAgainNs;
    return;
  }
  due.resize(std::min<std::size_t>(due.size(), tuning_.window_targets));
  std::vector<VerifyWindow::Target> targets;
  for (Subject *subject : due) {
    targets.push_back({subject->process, as_ns(config_.for_), false});
    subject->is_in_window = true;
    schedule(*subject, now);
  }
  window_end_ns_ = now + as_ns(config_.for_);
  open(std::move(targets));
}

void EventVerify::open(std::vector<VerifyWindow::Target> targets) {
  ++windows_;
  VerifyWindow::Listener listener;
  listener.heard = [this](VerifyWindow::Outcome outcome) {
    {
      const std::scoped_lock lock{mutex_};
      outcomes_.push_back(std::move(outcome));
    }
    wake_();
  };
  listener.ended = [this](std::string problem, std::map<std::string, std::uint64_t> lost) {
    {
      const std::scoped_lock lock{mutex_};
      has_ended_ = true;
      problem_ = std::move(problem);
      for (const auto &[name, count] : lost)
        window_lost_[name] += count;
    }
    wake_();
  };
  window_ = std::make_unique<VerifyWindow>(tuning_, binaries_, attached_, std::move(listener));
  window_->start(std::move(targets));
}

void EventVerify::stop() {
  if (window_)
    window_->stop();
  window_.reset();
  take_outcomes();
}

EventVerify::Figures EventVerify::figures(ProcessKey process) const {
  auto subject = subjects_.find(process);
  return subject == subjects_.end() ? Figures{} : subject->second.figures;
}

} // namespace mapscope
