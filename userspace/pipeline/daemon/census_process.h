// One process as the runner of censuses looks at it: what it keeps between two looks, and what one
// look brings. Used from the runner's thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "attach/memory_limits.h"
#include "base/error.h"
#include "flow/daemon_config.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/census_schedule.h"
#include "pipeline/daemon/census_snapshots.h"
#include "pipeline/daemon/process_finder.h"
#include "pipeline/map_survey.h"
#include "report/maps_report.h"

namespace mapscope {

// What is in force for the looks that follow.
struct LookOptions {
  CensusNeeds needs;
  CensusConfig census;
  std::uint64_t walk_memory_bytes = 64 << 20; // that following pointers may take
  bool may_keep = true;                       // what a look learned, for the next one
  std::function<Result<>()> stop;             // what it fails with ends a look
};

struct ProcessLook {
  std::shared_ptr<const CensusSample> sample;
  std::shared_ptr<const CensusSample> shown; // the largest maps, whatever rules need
  std::shared_ptr<const MapsReport> report;
  CensusChange change = CensusChange::some;
  std::string kept_snapshot;    // path of one that was made; empty: none
  std::string snapshot_problem; // why one that was wanted was not; a sentence
};

class CensusProcess {
public:
  explicit CensusProcess(FoundProcess found) : found_(std::move(found)) {}

  const FoundProcess &found() const { return found_; }

  // It has not run since the last look, so that all of it is as it was: by its CPU time, which the
  // kernel counts to the nanosecond.
  // Not where more is needed by now than that look told.
  bool has_not_run(const CensusNeeds &needs) const;
  // CPU time since the last look; absent: not known, or no look was made.
  std::optional<std::uint64_t> ran_ns() const;
  // The last sample with a new time. It must not have run, and must have been looked at.
  CensusSample repeated(std::uint64_t now_ns) const;

  // Errors: gone (also where another program runs in it by now), denied, what take_census() says.
  Result<ProcessLook> look(const LookOptions &options);
  // Gzipped pprof of all maps, looked at anew, with owners and sites.
  Result<std::string> profile(const LookOptions &options);

  bool keeps_memory() const { return memory_ != nullptr; }
  void give_up_memory() { memory_.reset(); }

private:
  Result<MapSource> open(const LookOptions &options);
  bool is_walk_wanted(const MapsOverview &overview, const LookOptions &options) const;
  Result<> walk(MapSurvey &survey, const LookOptions &options);
  bool has_name(const JudgedMap &map, const HeapStatistics &heap) const;
  void keep_names(const MapsOverview &overview, bool has_walked);
  Result<CensusSample> sample_of(const MapsOverview &overview, MapSource &source);
  CensusChange change_to(const CensusSample &sample, const CensusSample &shown,
                         const LookOptions &options) const;
  void keep_snapshot(MapSource &source, const LookOptions &options, ProcessLook &look);

  FoundProcess found_;
  std::optional<std::uint64_t> cpu_ns_; // of the process, before the last look
  std::uint64_t image_ = 0;             // a digest of what an exec changes; 0: none was seen
  std::unique_ptr<CensusMemory> memory_;
  KnownMaps known_;
  std::uint64_t walked_at_ns_ = 0, walk_cost_ns_ = 0; // of the last walk; 0: none
  std::uint64_t walk_gc_cycles_ = 0;                  // that had ended before it
  CensusNeeds last_needs_;                            // of that look
  std::shared_ptr<const CensusSample> last_, last_shown_;
  bool is_near_limit_ = false; // and a snapshot was made or tried
};

} // namespace mapscope
