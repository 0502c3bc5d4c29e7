// The report of `maps` for machines: schemas mapscope.maps/1 and mapscope.map/1, see docs/json.md.
#pragma once

#include <string>

#include "report/maps_report.h"

namespace mapscope {

std::string maps_json(const MapsReport &report);
std::string map_explanation_json(const MapsReport &report, const MapExplanation &map);

} // namespace mapscope
