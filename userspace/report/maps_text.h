// The report of `maps` as people read it.
#pragma once

#include <string>

#include "report/maps_report.h"

namespace mapscope {

std::string maps_text(const MapsReport &report, bool colour);
std::string map_explanation_text(const MapsReport &report, const MapExplanation &map, bool colour);

} // namespace mapscope
