// Parts of schema mapscope.map/1: a map taken apart, and its type.
#pragma once

#include "flow/map_anatomy.h"
#include "flow/map_type_layout.h"
#include "report/json_writer.h"

namespace mapscope {

// "anatomy": {...}
void append_anatomy(const MapAnatomy &anatomy, JsonWriter &json);

// "type_layout": {...}, or null where the type is not known exactly.
void append_layout(const MapTypeLayout *type, JsonWriter &json);

} // namespace mapscope
