// The report of `maps` for machines: schemas mapscope.maps/1 and mapscope.map/1, see docs/json.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "report/maps_report.h"

namespace mapscope {

// One document in one line.
std::string maps_json(const MapsReport &report);
std::string map_explanation_json(const MapsReport &report, const MapExplanation &map);

// The same in pieces, for a million maps.
using TextSink = std::function<void(std::string_view)>;
void write_maps_json(const MapsReport &report, const TextSink &sink);

} // namespace mapscope
