// What `maps` shows of one process: filled in by the command, printed as text or JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/binary_facts.h"
#include "flow/judged_map.h"
#include "flow/learned_map.h"
#include "flow/map_anatomy.h"
#include "flow/map_owner.h"
#include "flow/process_sample.h"

namespace mapscope {

struct MapTotals { // of all maps but those without contents
  std::uint64_t maps = 0, entries = 0, slots = 0, bytes = 0;
  std::uint64_t reclaimable_bytes = 0;   // of maps where it is known
  std::uint64_t reclaimable_unknown = 0; // maps where it is not
  std::optional<std::uint64_t> resident_bytes, swapped_bytes;
  std::uint64_t exact_types = 0, candidate_types = 0, unknown_types = 0; // maps
  std::uint64_t proved = 0, referenced = 0, consistent = 0;
  std::uint64_t in_motion = 0; // maps that were written to while they were read
};

// What the maps of a group share.
enum class MapGroupBy : std::uint8_t { none, type, owner, site };

struct MapGroup {
  // By type: one, or one set of candidates; all of it as JudgedMap has it. By owner and by site
  // too, where all maps of the group have the same.
  std::string type;
  TypeCertainty certainty = TypeCertainty::unknown;
  std::vector<std::string> candidates;
  std::uint64_t candidate_count = 0;
  MapOwner owner;                  // by owner; reach and path tell maps without one
  std::optional<SourceFrame> site; // by site; absent: of maps without one
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
  bool stacks_searched = false; // else maps with headers on stacks are not among these
  std::vector<JudgedMap> maps;  // those to show, in order
  std::uint64_t selected = 0;   // that the filters let through, shown or not
  MapGroupBy group_by = MapGroupBy::none;
  std::vector<MapGroup> groups;     // instead, with --group-by
  OwnerCounts owners;               // was_made: owners and sites are known as far as they can be
  MapTotals reachable, unreachable; // of the maps of `totals`, where owners were looked for
  SiteCounts sites;
  std::vector<SiteUse> site_uses;       // what map code allocated, the most bytes in use first
  std::optional<LearnedWrites> learned; // counts of --learn; its writes are with the maps
  std::vector<std::string> remarks;     // sentences: what could not be seen
};

struct MapExplanation {
  JudgedMap map;
  MapAnatomy anatomy;
  const MapTypeLayout *type = nullptr; // null: not known exactly
  std::vector<OwnerStep> owner_steps;  // from the root to the map; empty: not known
};

} // namespace mapscope
