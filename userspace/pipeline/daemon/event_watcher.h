// Probes on watched processes, on a thread of its own: misuse always, growth and creation for
// moments within a budget, system calls for verification windows only. What no rule needs is not
// attached.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "binary/confined_parser.h"
#include "flow/daemon_config.h"
#include "flow/daemon_view.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/event_tuning.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

struct EventWatcherFigures {
  std::uint64_t verify_windows = 0, flashes = 0, hits = 0;
  bool system_calls_attached = false;
  std::map<std::string, std::uint64_t> lost; // by name
  std::string problem; // why no probe can be placed at all (no BPF, no privileges); empty: they can
};

class EventWatcher {
public:
  virtual ~EventWatcher() = default; // stops
  // `hear` is called from its thread with RateSample, MisuseSample and VerifySample.
  static std::unique_ptr<EventWatcher> start(const EventsConfig &events, const VerifyConfig &verify,
                                             BinaryCache &binaries,
                                             std::function<void(RuleInput)> hear,
                                             const EventTuning &tuning = {});

  // All of these from any thread.
  virtual void add(const FoundProcess &process) = 0;
  virtual void remove(ProcessKey process) = 0;
  virtual void set_needs(const RuleNeeds &needs) = 0;
  virtual void set_config(const EventsConfig &events, const VerifyConfig &verify) = 0;
  virtual void describe(WatchedProcess &process) const = 0; // probe_*, flashes, verdict
  virtual EventWatcherFigures figures() const = 0;
  virtual void stop() = 0; // within a second; nothing stays attached
};

} // namespace mapscope
