// Budgets of probes; see governor.h.
#include "attach/governor.h"

#include <algorithm>
#include <limits>

namespace mapscope {
namespace {

// A rate says little of the next moment: what is expected has to fit this often.
constexpr double kMargin = 1.5;

double rate_of(std::uint64_t hits, std::uint64_t time_ns) {
  return time_ns == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(time_ns);
}

} // namespace

void Governor::charge(std::uint64_t hits, std::uint64_t cpu_meanwhile_ns) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t cost_ns = hits > kMax / budget_.hit_ns ? kMax : hits * budget_.hit_ns;
  spent_ns_ += std::min(cost_ns, cpu_meanwhile_ns);
}

std::int64_t Governor::credit_ns(std::uint64_t cpu_ns) const {
  double own_ns = static_cast<double>(cpu_ns - std::min(cpu_ns, spent_ns_));
  return static_cast<std::int64_t>(own_ns * budget_.share) - static_cast<std::int64_t>(spent_ns_);
}

std::optional<Flash> FlashPlan::next(std::uint64_t cpu_ns) const {
  if (count_ == 0)
    return Flash{limits_.shortest_ns, std::numeric_limits<std::uint64_t>::max()};
  const ProbeBudget &budget = governor_.budget();
  auto credit_ns = static_cast<double>(governor_.credit_ns(cpu_ns));
  double for_hits_ns = credit_ns - static_cast<double>(budget.placing_ns);
  if (for_hits_ns < static_cast<double>(budget.hit_ns))
    return std::nullopt;
  Flash flash{limits_.longest_ns, static_cast<std::uint64_t>(for_hits_ns) / budget.hit_ns};
  // CPU time that hits took, in each nanosecond in which probes were there.
  double price = std::max(rate_of(last_.hits, last_.attached_ns), rate_of(hits_, attached_ns_)) *
                 static_cast<double>(budget.hit_ns) * kMargin;
  if (price == 0)
    return flash;
  double affordable_ns =
      for_hits_ns / price - static_cast<double>(last_.attached_ns - last_.watched_ns);
  if (affordable_ns < static_cast<double>(limits_.shortest_ns))
    return std::nullopt;
  if (affordable_ns < static_cast<double>(limits_.longest_ns))
    flash.duration_ns = static_cast<std::uint64_t>(affordable_ns);
  return flash;
}

void FlashPlan::add(const FlashOutcome &outcome) {
  governor_.charge(outcome.hits, outcome.cpu_ns);
  governor_.charge_placing();
  ++count_;
  hits_ += outcome.hits;
  attached_ns_ += outcome.attached_ns;
  last_ = outcome;
  last_.watched_ns = std::min(last_.watched_ns, last_.attached_ns);
}

} // namespace mapscope
