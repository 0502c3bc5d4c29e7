// Source frames and errors as JSON, checked on the way back: what parsers of hostile files answer,
// and what recordings keep.
#pragma once

#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "flow/source.h"

namespace mapscope {

// One list per address.
nlohmann::json frames_to_json(std::span<const SourceFrames> answers);
Result<std::vector<SourceFrames>> frames_from_json(const nlohmann::json &json);

nlohmann::json error_to_json(const Error &error);
Error error_from_json(const nlohmann::json &json);

} // namespace mapscope
