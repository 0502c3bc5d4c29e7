// What to do about a map: the line of Go, where there is one.
#pragma once

#include <string>

#include "flow/map_owner.h"
#include "judge/map_cause.h"

namespace mapscope {

// A size hint for so many entries: rounded up to two or three digits where that makes the map no
// larger.
std::uint64_t hint_for(std::uint64_t len, const MapRebuild &rebuild);

// `type`: as make() takes it; empty: not known. Where the owner is known, the advice names the
// variable or field that holds the map, and the line that made it, where that was seen.
std::string advice_for(const MapFinding &finding, const MapEvidenceOfWaste &map,
                       const std::string &type, const MapOwner &owner, const MapSite &site);

} // namespace mapscope
