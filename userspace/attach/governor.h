// What probes may cost a process, and what they did cost: pure arithmetic on hits and CPU time, so
// that probes on functions that run often can come and go within a budget.
#pragma once

#include <cstdint>
#include <optional>

namespace mapscope {

struct ProbeBudget {
  // Of the CPU time that the process would use without probes. A hit costs more where caches are
  // cold, so this leaves a fifth of the twentieth that is promised.
  double share = 0.04;
  std::uint64_t hit_ns = 1'200;      // CPU time of one hit, its program included
  std::uint64_t placing_ns = 50'000; // of placing probes and taking them off, without hits
};

// Keeps the account of one process.
class Governor {
public:
  explicit Governor(const ProbeBudget &budget) : budget_(budget) {}

  // Probes were there for a while, or are still and this is the next part of it. What the process
  // used meanwhile, in CPU time, is the most that they can have cost.
  void charge(std::uint64_t hits, std::uint64_t cpu_meanwhile_ns);
  void charge_placing() { spent_ns_ += budget_.placing_ns; }

  // What may still be spent once the process has used so much CPU time since the beginning, the
  // cost of probes included. Negative: overdrawn; probes have to go until it is paid back.
  std::int64_t credit_ns(std::uint64_t cpu_ns) const;
  std::uint64_t spent_ns() const { return spent_ns_; }
  const ProbeBudget &budget() const { return budget_; }

private:
  ProbeBudget budget_;
  std::uint64_t spent_ns_ = 0;
};

// Moments of watching.
struct FlashLimits {
  std::uint64_t shortest_ns = 1'000'000;
  std::uint64_t longest_ns = 100'000'000;
};

struct Flash {
  std::uint64_t duration_ns = 0; // from the last probe placed to the first one taken off
  std::uint64_t hits_max = 0;    // ends it earlier
};

struct FlashOutcome {
  std::uint64_t hits = 0;
  std::uint64_t watched_ns = 0;  // what Flash::duration_ns became
  std::uint64_t attached_ns = 0; // placing and taking off included
  std::uint64_t cpu_ns = 0;      // that the process used during attached_ns
};

// When the next one may be, and how long. The first one comes at once and is the shortest: it tells
// what they cost. Later ones wait until what they may cost, going by those before, is earned.
class FlashPlan {
public:
  FlashPlan(const ProbeBudget &budget, const FlashLimits &limits)
      : governor_(budget), limits_(limits) {}

  // Nothing: not yet. `cpu_ns` as in Governor::credit_ns().
  std::optional<Flash> next(std::uint64_t cpu_ns) const;
  void add(const FlashOutcome &outcome);

  std::uint64_t count() const { return count_; }
  const Governor &governor() const { return governor_; }

private:
  Governor governor_;
  FlashLimits limits_;
  std::uint64_t count_ = 0, hits_ = 0, attached_ns_ = 0;
  FlashOutcome last_;
};

} // namespace mapscope
