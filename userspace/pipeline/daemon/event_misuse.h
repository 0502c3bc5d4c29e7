// Probes on the runtime's reports that a map is misused: on every watched process as long as it
// lives, since they cost nothing until such a report is made.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attribute/trace_attributor.h"
#include "flow/rule_input.h"
#include "kernel/tracer.h"
#include "pipeline/daemon/event_tuning.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

// Used from one thread.
class EventMisuse {
public:
  struct Figures {
    std::uint64_t hits = 0, probes = 0, refused = 0;
  };
  using Hear = std::function<void(RuleInput)>;

  EventMisuse(const EventTuning &tuning, Hear hear) : tuning_(tuning), hear_(std::move(hear)) {}

  // Errors: the programs can't be loaded at all; to be tried again later. A process that alone
  // can't be watched is counted, and no error.
  Result<> add(const FoundProcess &process);
  void remove(ProcessKey process);
  // All probes are gone, and the programs unloaded.
  void stop();

  bool is_watched(ProcessKey process) const { return targets_.contains(process); }
  // Readable when drain() has something to do.
  std::vector<int> wake_fds() const;
  void drain();
  // Once a second or so: takes off probes that are hit too often, and places them again later.
  void look(std::uint64_t now_ns);

  Figures figures(ProcessKey process) const;
  std::map<std::string, std::uint64_t> lost() const;
  std::uint64_t hits() const;

private:
  struct Target {
    FoundProcess process;
    LoadBias bias;
    Tracer *tracer = nullptr;
    std::uint32_t index = 0;
    UprobeLinks links;
    std::uint64_t probes = 0;
    std::unique_ptr<TraceAttributor> attributor; // made by the first report
    std::uint64_t minute_start_ns = 0, told_this_minute = 0;
    std::uint64_t hits_seen = 0;
  };

  Result<> add_again(const FoundProcess &process, unsigned attempts);
  Result<> place(const FoundProcess &process, Tracer &tracer);
  Result<Tracer *> tracer_with_room();
  void take(const Tracer &tracer, std::span<const std::byte> record);
  Target *find(const Tracer &tracer, std::uint32_t index);
  TraceAttributor &attributor_of(Target &target);
  void tell(Target &target);
  void forget(Target &target);

  const EventTuning &tuning_;
  Hear hear_;
  std::vector<std::unique_ptr<Tracer>> tracers_; // of TARGETS_MAX each
  std::map<ProcessKey, Target> targets_;
  struct Pause {
    FoundProcess process;
    std::uint64_t until_ns = 0;
    unsigned attempts = 0; // that failed
  };
  std::map<ProcessKey, Pause> paused_;
  std::uint64_t looked_ns_ = 0, pauses_ = 0;
  std::uint64_t left_out_ = 0, repeated_ = 0, ring_full_ = 0, past_hits_ = 0, malformed_ = 0;
};

} // namespace mapscope
