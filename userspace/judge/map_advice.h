// What to do about a map: the line of Go, where there is one.
#pragma once

#include <string>

#include "judge/map_cause.h"

namespace mapscope {

// A size hint for so many entries: rounded up to two or three digits where that makes the map no
// larger.
std::uint64_t hint_for(std::uint64_t len, const MapRebuild &rebuild);

// `type`: as make() takes it; empty: not known.
std::string advice_for(const MapFinding &finding, const MapEvidenceOfWaste &map,
                       const std::string &type);

} // namespace mapscope
