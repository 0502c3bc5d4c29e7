// A run, as all who analyse one hear of it: from a live kernel or from a recording, and nobody can
// tell which.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/verdict.h"

namespace mapscope {

struct RunStart {
  Machine machine = Machine::amd64;
  std::uint64_t time_ns = 0; // CLOCK_MONOTONIC, as all times of events
  // CLOCK_REALTIME less CLOCK_MONOTONIC when the run began, so that wall time can be told.
  std::int64_t wall_offset_ns = 0;
  std::int32_t utc_offset_seconds = 0; // of local time when the run began; east is positive
  bool has_several_processes = false;  // more than one may be watched at a time
};

// A process is watched from now on. Records name it by `index`, which is reused after its end.
struct TargetStart {
  std::uint32_t index = 0;
  std::uint64_t time_ns = 0;
  ProcessKey process;
  std::uint32_t tgid = 0; // of the same process in records: as the first pid namespace numbers it
  std::string exe;
  std::shared_ptr<const BinaryFacts> facts;
  std::shared_ptr<BinaryNames> names;
  std::optional<LoadBias> load_bias; // absent: an image entry event will tell it
  VerifyScope scope;                 // which operations are seen completely
  bool returns_probed = false;       // --exact: creations tell their map
  bool is_first = false;             // the process that the run is about
  std::vector<std::string> warnings; // sentences: what the probes of it cannot see
};

// Nothing more will come of it.
struct TargetEnd {
  std::uint32_t index = 0;
  target_counts counts{}; // summed over CPUs, since its TargetStart
};

struct Remark {
  bool is_doubt = false; // it forbids the verdict `clean`; else it decides nothing
  std::string sentence;
};

// A goroutine as it was found in memory when a misuse had been reported: where it could still be
// read, before the runtime ended the process.
struct GoroutineStack {
  std::uint64_t goid = 0;
  std::uint32_t status = 0; // runtime._Grunning and so on
  std::uint64_t pc = 0, sp = 0,
                fp = 0; // g.sched: where it stopped; of a running one, where it last did
  std::uint64_t stack_hi = 0;
  std::uint64_t words_address = 0;  // where `words` begin
  std::vector<std::uint64_t> words; // of its stack
};

struct GoroutineSnapshot {
  std::uint32_t index = 0; // of the target
  std::uint64_t time_ns = 0;
  bool is_complete = false; // every goroutine was read
  std::vector<GoroutineStack> goroutines;
};

struct RunEnd {
  std::uint64_t time_ns = 0;
  std::array<event_stats, EVENT_KIND_COUNT> events{}; // indexed by event_kind
  VerifyCost cost;
  std::optional<CommandEnd> command; // absent: none was started
};

// Calls come in the order: start, then targets, records and the rest as they happen, then the
// ends of all targets, then end. Names (BinaryNames) may be asked for in drained() and later
// calls only, never in record(): a recording keeps the answers where they were asked for.
class RunObserver {
public:
  virtual ~RunObserver() = default;
  virtual void start(const RunStart &) {}
  virtual void target_start(const TargetStart &) {}
  // One record as the ring buffer had it; the bytes are gone afterwards.
  virtual void record(std::span<const std::byte>) {}
  // All records that were ready at one moment have been handed over.
  virtual void drained() {}
  virtual void goroutines(const GoroutineSnapshot &) {}
  virtual void remark(const Remark &) {}
  virtual void target_end(const TargetEnd &) {}
  virtual void end(const RunEnd &) {}
};

} // namespace mapscope
