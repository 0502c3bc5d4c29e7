// What Go releases are known to get wrong about maps, and where it shows.
#pragma once

#include <string>

#include "judge/map_cause.h"

namespace mapscope {

// A defect that holds for this map: what it does, and since which release it is gone.
struct MapDefect {
  std::string what;     // a clause: "maps double at 6 entries a bucket in go1.21, ..."
  std::string fixed_in; // "go1.22"; empty: not in any release known
};

// Go 1.21 doubles maps too early. Empty where this map would be as large without.
std::optional<MapDefect> early_growth_defect(const MapEvidenceOfWaste &map);

// Tombstones that this release does not clear where a later one does. Empty: none known, or the
// type of the key would have to be known and is not.
std::optional<MapDefect> tombstone_defect(const MapEvidenceOfWaste &map);

} // namespace mapscope
