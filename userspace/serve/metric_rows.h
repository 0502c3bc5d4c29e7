// Which processes and maps get rows of their own in the metrics: the largest ones. The rest is
// added up, so that nobody's database gets a row for each of a million maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flow/daemon_config.h"
#include "flow/daemon_view.h"

namespace mapscope {

// The name of a row that adds up what has none of its own.
inline constexpr std::string_view kOther = "other";

// Values of labels, fit for one.
struct ProcessLabels {
  std::string pid, process, container, pod, unit, go_version;
  friend auto operator<=>(const ProcessLabels &, const ProcessLabels &) = default;
};

// All maps of one process that the same labels describe. Absent: not known of all of them.
struct MapRow {
  std::string type, owner, site;
  std::uint64_t maps = 0; // 0: not known how many
  std::uint64_t len = 0, bytes = 0;
  std::optional<std::uint64_t> slots = 0, reclaimable_bytes = 0;
};

struct ProcessRow {
  ProcessLabels labels;
  bool is_other = false;
  std::optional<std::uint64_t> heap_live_bytes, heap_goal_bytes, map_reclaimable_bytes;
  std::uint64_t maps = 0, map_entries = 0, map_bytes = 0;
  // Things that only grow: not of others, since who is among them changes.
  std::optional<std::uint64_t> gc_cycles;
  std::uint64_t censuses = 0, census_failures = 0, census_cpu_ns = 0;
  std::uint64_t probe_hits = 0, probe_cost_ns = 0;
  double census_interval_seconds = 0;
  std::vector<MapRow> map_rows; // the largest first
};

// Of processes that had a census: the largest first, others last.
std::vector<ProcessRow> process_rows(std::span<const WatchedProcess> processes,
                                     const ServeConfig &config);

} // namespace mapscope
