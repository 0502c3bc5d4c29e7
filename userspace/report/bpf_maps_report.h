// What the reports of `bpf-maps` show: a look, and which of its maps in which order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/bpf_map.h"

namespace mapscope {

// Of all maps, whatever is shown of them.
struct BpfMapsTotals {
  std::uint64_t maps = 0, own_maps = 0;
  std::uint64_t memory_bytes = 0, own_memory_bytes = 0;
  std::uint64_t memory_unknown = 0;                                // maps that are in neither sum
  std::uint64_t counted = 0, walked = 0, sampled = 0, unknown = 0; // maps, by BpfMethod
};

struct BpfMapRow {
  BpfMapSample map;
  std::vector<std::string> advice; // sentences
};

struct BpfMapsReport {
  std::uint64_t wall_time_ns = 0;
  BpfMapsTotals totals;
  std::vector<BpfMapRow> rows; // in the order that is wanted
  std::uint64_t selected = 0;  // of which `rows` are the first
  std::uint64_t cpu_ns = 0, vanished = 0, not_counted = 0;
  std::vector<std::string> problems;
};

} // namespace mapscope
