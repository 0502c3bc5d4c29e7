// The rules of the daemon: from what is seen of processes to what has to be said of them. Knows no
// clock and asks nobody: the same inputs give the same findings, so that recorded ones are tests.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "flow/alert.h"
#include "flow/rule.h"
#include "flow/rule_input.h"

namespace mapscope {

struct RuleEngineOptions {
  std::string boot_id; // makes fingerprints different after a restart of the host
  std::uint32_t subjects_max =
      10'000; // remembered per process; beyond it the smallest are forgotten
};

// How often subjects or findings had no room, by name.
struct RuleEngineFigures {
  std::uint64_t inputs = 0, findings = 0, subjects = 0, subjects_forgotten = 0;
  std::uint64_t inputs_of_others = 0;   // of processes that were not told, or have ended
  std::uint64_t processes_left_out = 0; // too many at a time
};

class RuleEngine {
public:
  RuleEngine(std::vector<Rule> rules, RuleEngineOptions options);
  ~RuleEngine();

  // What these rules need to be told.
  RuleNeeds needs() const;

  // What was told before a restart and not resolved: it is not told again, and resolves when its
  // condition is gone, its process has ended or its rule is no more. Processes have to be told
  // again.
  void restore(std::span<const Finding> firing);

  // One finding for each subject that begins to fire, changes by much, or is over.
  std::vector<Finding> take(const RuleInput &input);
  // Time has passed: holds end, and what nobody saw again is over. `scan_complete`: every process
  // that lives has been told, so findings of others are over.
  std::vector<Finding> tick(std::uint64_t now_ns, bool scan_complete);

  // Others are in force from now on; findings of rules that are no more are over.
  std::vector<Finding> replace_rules(std::vector<Rule> rules, std::uint64_t now_ns);

  RuleEngineFigures figures() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mapscope
