// Whose turn it is to be looked at, and when: knows what looks cost and what they brought, and
// neither reads a clock nor asks anybody.
//
// All looks together earn a share of one core. What costs little is paid from one account, what
// costs much from another, each with half of the share where both are in need: so neither waits for
// ever. An account may be overdrawn by one look, since a look can't be split; then it waits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "flow/process.h"

namespace mapscope {

// What the configuration says of it, in nanoseconds.
struct CensusPace {
  std::uint64_t interval_ns = 60'000'000'000, shortest_ns = 10'000'000'000,
                longest_ns = 600'000'000'000;
  double cpu_share = 0.01; // of one core
};

// What a look found, beside the one before.
enum class CensusChange : std::uint8_t {
  none, // nothing that rules could care for
  some,
  growth, // its maps grew by much, or a large one grew at all
};

class CensusSchedule {
public:
  explicit CensusSchedule(const CensusPace &pace) : pace_(pace) {}

  void set_pace(const CensusPace &pace) { pace_ = pace; }
  // All intervals are so many times as long, until further notice: for guardrails.
  void set_stretch(double stretch) { stretch_ = stretch; }
  double stretch() const { return stretch_; }

  // A new one is looked at soon, but not at once: most that start end again.
  void add(ProcessKey process, std::uint64_t now_ns);
  void remove(ProcessKey process) { processes_.erase(process); }

  // Who is to be looked at now; nothing: nobody is due, or nothing is earned. What it returns is
  // due until something is noted of it.
  std::optional<ProcessKey> take(std::uint64_t now_ns);
  // When take() may say something, if nothing else happens; absent: never.
  std::optional<std::uint64_t> next_ns(std::uint64_t now_ns);

  // A look has ended; `cost_ns` of CPU.
  void note(ProcessKey process, std::uint64_t now_ns, std::uint64_t cost_ns, CensusChange change);
  // It had not run, so there was nothing to look at.
  void note_unchanged(ProcessKey process, std::uint64_t now_ns, std::uint64_t cost_ns);
  // A look failed, and the next try is not before.
  void note_failure(ProcessKey process, std::uint64_t now_ns, std::uint64_t cost_ns,
                    std::uint64_t rest_ns);
  // It began to work since the last look: it is due as if it had never been idle.
  void wake(ProcessKey process, std::uint64_t now_ns);

  // From one look to the next; 0: not looked at yet, or not known.
  std::uint64_t interval_ns(ProcessKey process) const;
  bool is_longer_than_usual(ProcessKey process) const {
    return interval_ns(process) > pace_.interval_ns;
  }
  // How late the latest one is.
  std::uint64_t backlog_ns(std::uint64_t now_ns) const;

private:
  struct Process {
    std::uint64_t due_ns = 0, looked_ns = 0, last_cost_ns = 0;
    std::uint64_t wanted_ns = 0;   // interval, as what was found asks for
    std::uint64_t interval_ns = 0; // as it was granted
    unsigned quiet_looks = 0;      // in a row
    bool was_looked_at = false;
  };

  double capacity_ns() const;
  bool is_large(const Process &process) const;
  void earn(std::uint64_t now_ns);
  void pay(Process &process, std::uint64_t cost_ns);
  bool can_pay(const Process &process) const;
  std::uint64_t earned_at(const Process &process, std::uint64_t now_ns) const;
  std::uint64_t granted_ns(const Process &process) const;

  CensusPace pace_;
  double stretch_ = 1;
  std::map<ProcessKey, Process> processes_;
  std::optional<std::uint64_t> earned_ns_; // until when; absent: never
  double small_ns_ = 0, large_ns_ = 0;     // the accounts
};

} // namespace mapscope
