// What `maps` shows of one process: filled in by the command, printed as text or JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/binary_facts.h"
#include "flow/judged_map.h"
#include "flow/map_anatomy.h"
#include "flow/process_sample.h"

namespace mapscope {

struct MapTotals { // of all maps but those without contents
  std::uint64_t maps = 0, entries = 0, slots = 0, bytes = 0;
  std::uint64_t reclaimable_bytes = 0;   // of maps where it is known
  std::uint64_t reclaimable_unknown = 0; // maps where it is not
  std::optional<std::uint64_t> resident_bytes, swapped_bytes;
  std::uint64_t exact_types = 0, candidate_types = 0, unknown_types = 0; // maps
  std::uint64_t proved = 0, referenced = 0, consistent = 0;
};

struct MapGroup { // of one type, or one set of candidates; all of it as JudgedMap has it
  std::string type;
  TypeCertainty certainty = TypeCertainty::unknown;
  std::vector<std::string> candidates;
  std::uint64_t candidate_count = 0;
  MapTotals totals;
};

struct MapsReport {
  std::uint32_t pid = 0; // 0: not known
  std::string exe, go_version;
  MapImplementation implementation = MapImplementation::none;
  std::string source;             // "process", "core file PATH", "snapshot PATH"
  std::uint64_t wall_time_ns = 0; // when the memory was read
  HeapStatistics heap;
  CensusCounts counts;
  MapTotals totals;
  std::uint64_t plausible = 0, plausible_bytes = 0; // headers without contents, listed apart
  bool stacks_searched = false;     // else maps with headers on stacks are not among these
  std::vector<JudgedMap> maps;      // those to show, in order
  std::uint64_t selected = 0;       // that the filters let through, shown or not
  std::vector<MapGroup> groups;     // instead, with --group-by
  std::vector<std::string> remarks; // sentences: what could not be seen
};

struct MapExplanation {
  JudgedMap map;
  MapAnatomy anatomy;
  const MapTypeLayout *type = nullptr; // null: not known exactly
};

} // namespace mapscope
