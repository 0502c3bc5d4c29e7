// Earliest due first, in each of the two accounts.
#include "pipeline/daemon/census_schedule.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kFirstLookAfter = 2 * kSecond;
constexpr double kSavedSeconds = 100; // that an account can save up
// What is learned at a first look is learned once: to charge all of it would leave the last of a
// thousand processes waiting for minutes after a start.
constexpr std::uint64_t kFirstLookDiscount = 4;

} // namespace

double CensusSchedule::capacity_ns() const {
  return pace_.cpu_share * kSavedSeconds * static_cast<double>(kSecond);
}

bool CensusSchedule::is_large(const Process &process) const {
  return static_cast<double>(process.last_cost_ns) > capacity_ns() / 4;
}

void CensusSchedule::earn(std::uint64_t now_ns) {
  if (!earned_ns_)
    small_ns_ = capacity_ns();
  const std::uint64_t from = std::exchange(earned_ns_, now_ns).value_or(now_ns);
  double earned = now_ns > from ? static_cast<double>(now_ns - from) * pace_.cpu_share : 0;
  // Nothing is saved for large ones: they go as soon as nothing is owed.
  const double for_large = std::min(earned / 2, std::max(0.0, -large_ns_));
  large_ns_ += for_large;
  earned -= for_large;
  const double for_small = std::min(earned, capacity_ns() - small_ns_);
  small_ns_ += for_small;
  large_ns_ = std::min(0.0, large_ns_ + (earned - for_small));
}

void CensusSchedule::pay(Process &process, std::uint64_t cost_ns) {
  process.last_cost_ns = cost_ns;
  const double price =
      static_cast<double>(process.was_looked_at ? cost_ns : cost_ns / kFirstLookDiscount);
  (is_large(process) ? large_ns_ : small_ns_) -= price;
}

bool CensusSchedule::can_pay(const Process &process) const {
  return is_large(process) ? large_ns_ >= 0 : small_ns_ > 0;
}

void CensusSchedule::add(ProcessKey process, std::uint64_t now_ns) {
  processes_.try_emplace(process, Process{.due_ns = now_ns + kFirstLookAfter});
}

std::optional<ProcessKey> CensusSchedule::take(std::uint64_t now_ns) {
  earn(now_ns);
  std::optional<ProcessKey> first;
  std::uint64_t first_due = 0;
  for (const auto &[key, process] : processes_)
    if (process.due_ns <= now_ns && can_pay(process) && (!first || process.due_ns < first_due)) {
      first = key;
      first_due = process.due_ns;
    }
  return first;
}

// When what it is paid from is no longer overdrawn, if nothing else is paid.
std::uint64_t CensusSchedule::earned_at(const Process &process, std::uint64_t now_ns) const {
  if (can_pay(process))
    return now_ns;
  const double owed = is_large(process) ? -large_ns_ : 1 - small_ns_;
  const double share = pace_.cpu_share / (large_ns_ < 0 ? 2 : 1);
  constexpr double kLongest = 86'400e9;
  return now_ns + static_cast<std::uint64_t>(std::min(kLongest, std::ceil(owed / share)));
}

std::optional<std::uint64_t> CensusSchedule::next_ns(std::uint64_t now_ns) {
  earn(now_ns);
  std::optional<std::uint64_t> next;
  for (const auto &[key, process] : processes_) {
    const std::uint64_t at = std::max(process.due_ns, earned_at(process, now_ns));
    next = std::min(next.value_or(at), at);
  }
  return next;
}

// No process takes more than half of what all have together.
std::uint64_t CensusSchedule::granted_ns(const Process &process) const {
  const double afforded = static_cast<double>(process.last_cost_ns) / (pace_.cpu_share / 2);
  constexpr double kLongest = 86'400e9;
  return static_cast<std::uint64_t>(
      std::min(kLongest, std::max(static_cast<double>(process.wanted_ns) * stretch_, afforded)));
}

void CensusSchedule::note(ProcessKey key, std::uint64_t now_ns, std::uint64_t cost_ns,
                          CensusChange change) {
  const auto found = processes_.find(key);
  if (found == processes_.end())
    return;
  Process &process = found->second;
  earn(now_ns);
  pay(process, cost_ns);
  const std::uint64_t before = process.was_looked_at ? process.wanted_ns : pace_.interval_ns;
  process.quiet_looks = change == CensusChange::none ? process.quiet_looks + 1 : 0;
  switch (change) {
  case CensusChange::growth:
    process.wanted_ns = std::min(before, pace_.interval_ns) / 2;
    break;
  case CensusChange::some: // back to what is usual; from below in steps
    process.wanted_ns = std::min(before * 2, pace_.interval_ns);
    break;
  case CensusChange::none:
    process.wanted_ns = process.quiet_looks < 2 ? before : before * 2;
  }
  process.wanted_ns = std::max(pace_.shortest_ns, std::min(process.wanted_ns, pace_.longest_ns));
  process.was_looked_at = true;
  process.looked_ns = now_ns;
  process.interval_ns = granted_ns(process);
  process.due_ns = now_ns + process.interval_ns;
}

// What a look at it costs is as it was. To ask costs next to nothing, so that it is asked again as
// soon as it would be if it worked.
void CensusSchedule::note_unchanged(ProcessKey key, std::uint64_t now_ns, std::uint64_t cost_ns) {
  const auto found = processes_.find(key);
  if (found == processes_.end())
    return;
  Process &process = found->second;
  earn(now_ns);
  small_ns_ -= static_cast<double>(cost_ns);
  process.interval_ns = std::max(process.interval_ns, pace_.interval_ns);
  process.looked_ns = now_ns;
  process.due_ns = now_ns + process.interval_ns;
}

void CensusSchedule::note_failure(ProcessKey key, std::uint64_t now_ns, std::uint64_t cost_ns,
                                  std::uint64_t rest_ns) {
  const auto found = processes_.find(key);
  if (found == processes_.end())
    return;
  Process &process = found->second;
  earn(now_ns);
  pay(process, cost_ns);
  process.interval_ns = std::max(rest_ns, granted_ns(process));
  process.due_ns = now_ns + process.interval_ns;
}

void CensusSchedule::wake(ProcessKey key, std::uint64_t now_ns) {
  const auto found = processes_.find(key);
  if (found == processes_.end() || !found->second.was_looked_at)
    return;
  Process &process = found->second;
  process.quiet_looks = 0;
  process.wanted_ns = std::min(process.wanted_ns, pace_.interval_ns);
  process.interval_ns = std::min(process.interval_ns, granted_ns(process));
  process.due_ns =
      std::min(process.due_ns, std::max(now_ns, process.looked_ns + process.interval_ns));
}

std::uint64_t CensusSchedule::interval_ns(ProcessKey process) const {
  const auto found = processes_.find(process);
  return found == processes_.end() ? 0 : found->second.interval_ns;
}

std::uint64_t CensusSchedule::backlog_ns(std::uint64_t now_ns) const {
  std::uint64_t latest = 0;
  for (const auto &[key, process] : processes_)
    if (process.due_ns < now_ns)
      latest = std::max(latest, now_ns - process.due_ns);
  return latest;
}

} // namespace mapscope
