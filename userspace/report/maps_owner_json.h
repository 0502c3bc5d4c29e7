// Parts of schemas mapscope.maps/1 and mapscope.map/1: who holds the maps, and where they were
// made.
#pragma once

#include "report/json_writer.h"
#include "report/maps_report.h"

namespace mapscope {

// Keys of a map: "owner" to "written_at".
void append_owner_keys(const JudgedMap &map, JsonWriter &json);

// Keys of a group, where groups are of that kind: "owner" and its kin, "site".
void append_group_keys(const MapGroup &group, MapGroupBy group_by, JsonWriter &json);

// "owners", "sites" and "learned" of a report. `with_uses`: and what map code allocated, by site.
void append_owner_counts(const MapsReport &report, bool with_uses, JsonWriter &json);

// "owner_steps": [...]
void append_owner_steps(const MapExplanation &map, JsonWriter &json);

} // namespace mapscope
