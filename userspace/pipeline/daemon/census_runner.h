// Looks at one process after the other, on a thread of its own: the next one when it is due and
// when what looking costs is earned.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "binary/confined_parser.h"
#include "flow/daemon_config.h"
#include "flow/daemon_view.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

struct CensusRunnerFigures {
  std::uint64_t censuses = 0, failures = 0, skipped = 0, cpu_ns = 0;
  double backlog_seconds = 0;
  bool is_throttled = false;                              // a guardrail makes it look less often
  std::uint64_t throttled_count = 0, memory_given_up = 0; // what was remembered of a process
};

class CensusRunner {
public:
  virtual ~CensusRunner() = default; // stops
  // `hear` is called from its thread, with each sample.
  static std::unique_ptr<CensusRunner> start(const CensusConfig &config, const LimitsConfig &limits,
                                             std::function<void(CensusSample)> hear);

  // All of these from any thread.
  virtual void add(const FoundProcess &process) = 0;
  virtual void remove(ProcessKey process) = 0;
  virtual void set_needs(const CensusNeeds &needs) = 0;
  virtual void set_config(const CensusConfig &config, const LimitsConfig &limits) = 0;
  // One census of each process that was added so far, soon and regardless of the share of CPU;
  // returns when they are done, or after `timeout`. For `daemon --once`.
  virtual bool look_at_all(std::chrono::milliseconds timeout) = 0;
  // Fills in what it knows of its process: `census` and the figures beside it.
  virtual void describe(WatchedProcess &process) const = 0;
  // As DaemonView.
  virtual Result<std::shared_ptr<const std::string>> maps_json(ProcessKey process) const = 0;
  virtual Result<std::string> profile(ProcessKey process) = 0;
  virtual CensusRunnerFigures figures() const = 0;
  virtual void stop() = 0; // within a second, in the middle of a census too
};

} // namespace mapscope
