// What a look says of a process in one pass: the sum of its maps, and the few that are large.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flow/judged_map.h"
#include "report/maps_report.h"

namespace mapscope {

// Of one map, what an earlier look found out and what does not change while the map lives.
struct KnownMap {
  MapOwner owner;
  MapSite site;
  std::string type; // exact; empty: not known
};
using KnownMaps = std::map<std::pair<std::uint64_t, std::uint64_t>, KnownMap>; // address and seed

struct OverviewOptions {
  std::uint64_t min_bytes = UINT64_MAX;   // large is a map of so many bytes,
  std::uint64_t min_entries = UINT64_MAX; // or of so many entries
  std::size_t large_max = 1000, shown_max = 20;
  const KnownMaps *known = nullptr; // for maps of which this look does not tell it
};

struct MapsOverview {
  MapsReport report;            // with the most bytes first, whether they are large or not
  std::vector<JudgedMap> large; // the same
  std::uint64_t large_left_out = 0;
  std::vector<ProcessAddress> unsettled; // maps that may be large, and could not be read
  bool is_partial = false;               // parts of the heap were not looked into
};

} // namespace mapscope
