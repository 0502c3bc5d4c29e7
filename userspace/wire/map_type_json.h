// Map types as JSON, checked on the way back: what parsers of hostile files answer, and what
// recordings keep.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "flow/map_type.h"

namespace mapscope {

// Whether some Go program can have such a map: its name is neither empty nor endless, and so are
// its sizes, which others multiply. What this refuses is not written and not read.
bool is_possible(const MapType &type);

// One answer per question: null, or an array of a type's fields in the order of MapType.
nlohmann::json map_types_to_json(std::span<const std::optional<MapType>> answers);

// Trusts nothing: every field is checked, and names come out printable. Errors: malformed.
Result<std::vector<std::optional<MapType>>> map_types_from_json(const nlohmann::json &json);

} // namespace mapscope
