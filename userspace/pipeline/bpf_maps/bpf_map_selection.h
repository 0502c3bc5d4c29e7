// Which maps of a look are shown, and which come first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "flow/bpf_map.h"
#include "report/bpf_maps_report.h"

namespace mapscope {

enum class BpfMapOrder { fill, entries, memory, id, name, lookups, updates };

struct BpfMapSelection {
  BpfMapOrder order = BpfMapOrder::fill;
  std::size_t top = 0;            // 0: all
  std::vector<std::string> types; // empty: all
  std::string name;               // a glob as fnmatch(3) takes it; empty: all
  bool only_own = false;          // mapscope's
};

// What is not known comes last; among equals the smaller id comes first.
BpfMapsReport report_of(const BpfMapsLook &look, const BpfMapSelection &selection,
                        std::uint64_t wall_time_ns);

} // namespace mapscope
