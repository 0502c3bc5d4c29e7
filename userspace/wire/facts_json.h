// BinaryFacts as JSON, and back with every value checked: the wire between the confined parser
// and its parent, `inspect --json`, and recordings.
//
// Addresses and offsets are strings of hexadecimal digits ("0x401000"), sizes whole numbers;
// what is not known is null (an address) or empty (a text).
#pragma once

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "flow/binary_facts.h"

namespace mapscope {

nlohmann::json facts_to_json(const BinaryFacts &facts);

// Trusts nothing: the types and the limits of all values are checked, probes must lie in their
// function and in Go text, offsets in the file, and texts come out printable. Unknown keys are
// passed over. Errors: malformed, with the path to the value.
Result<BinaryFacts> facts_from_json(const nlohmann::json &json);

} // namespace mapscope
