// What the daemon shows of itself to its API, its metrics and `mapscope status`. Implemented by
// pipeline/daemon/; all of it may be called from any thread, and returns at once but for profile().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/alert.h"
#include "flow/bpf_map.h"
#include "flow/process_identity.h"
#include "flow/rule_input.h"

namespace mapscope {

enum class WatchState : std::uint8_t {
  waiting, // for its first census
  watched,
  refused, // it can't be looked at: `problem` says why
};

struct WatchedProcess {
  ProcessIdentity process;
  std::string go_version, map_implementation; // "go1.26.8", "swiss"; empty: not known yet
  WatchState state = WatchState::waiting;
  std::string problem; // a sentence
  // Of the last census; absent: none yet. Its maps are at most CensusConfig::maps_shown.
  std::shared_ptr<const CensusSample> census;
  std::uint64_t maps_unsettled = 0;
  std::uint64_t census_count = 0, census_failures = 0, census_skipped = 0; // it had not run
  std::uint64_t census_cpu_ns = 0, census_last_cpu_ns = 0;                 // what they cost us
  double interval_seconds = 0;                                             // until the next one
  // Of probes.
  std::uint64_t probe_hits = 0, probes_attached = 0, flashes = 0, probes_refused = 0;
  std::uint64_t probe_cost_ns = 0; // estimated, to the process
  std::string verdict;             // of the last verification; empty: none yet
  std::uint64_t verifications = 0;
};

struct SinkFigures {
  std::string name;
  std::uint64_t delivered = 0, failed_attempts = 0, pending = 0, dropped = 0;
  std::string last_error; // empty: the last attempt went well
};

struct DaemonFigures {
  std::string version;
  std::uint64_t start_wall_ns = 0, config_loaded_wall_ns = 0;
  bool config_reload_failed = false;
  std::string config_problem; // of the last reload
  std::uint64_t cpu_ns = 0, resident_bytes = 0, open_descriptors = 0, threads = 0;
  std::uint64_t parser_children = 0, parser_deaths = 0;
  std::uint64_t processes_seen = 0, execs_seen = 0;
  std::map<std::string, std::uint64_t> lost; // every loss by its name: "exec_events", ...
  std::uint64_t censuses = 0, census_failures = 0, census_skipped = 0, census_cpu_ns = 0;
  double census_backlog_seconds = 0; // how late the latest one is
  bool is_throttled = false;         // a guardrail makes it look less often
  std::uint64_t throttled_count = 0;
  std::uint64_t bpf_looks = 0, bpf_look_failures = 0, bpf_cpu_ns = 0, bpf_key_files = 0;
  std::uint64_t verify_windows = 0, probe_hits = 0, flashes = 0;
  bool system_calls_attached = false; // right now
  std::vector<SinkFigures> sinks;
  std::uint64_t alerts_silenced = 0, alerts_rate_limited = 0, alerts_kept_in_memory = 0;
  // What it can't do, a sentence each: no execs are told, no probe can be placed, the database is
  // full, ...
  std::vector<std::string> problems;
};

class DaemonView {
public:
  virtual ~DaemonView() = default;
  virtual bool is_ready() const = 0;      // the first scan is done
  virtual std::string health() const = 0; // empty: healthy; else a sentence
  virtual DaemonFigures figures() const = 0;
  virtual std::vector<WatchedProcess> processes() const = 0;
  // As `maps --json` prints it, of the last census. Errors: not_found.
  virtual Result<std::shared_ptr<const std::string>> maps_json(std::uint32_t pid) const = 0;
  // Gzipped pprof of all maps of that process, looked at anew. Takes up to ten seconds. Errors:
  // not_found, gone, and what a census says. The calling thread has no capabilities; and once the
  // daemon stops, this returns soon, since ApiServer::stop() waits for it.
  virtual Result<std::string> profile(std::uint32_t pid) = 0;
  // The last look at the kernel's maps; null: none yet, or none wanted.
  virtual std::shared_ptr<const BpfMapsLook> bpf_maps() const = 0;
  // As `bpf-maps --json` prints it. Errors: not_found (there is none).
  virtual Result<std::shared_ptr<const std::string>> bpf_maps_json() const = 0;
  virtual std::vector<Alert> alerts() const = 0; // firing ones, and those resolved of late
};

} // namespace mapscope
