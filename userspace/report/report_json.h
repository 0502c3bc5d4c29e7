// Pieces that several JSON documents have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "flow/source.h"
#include "flow/verdict.h"
#include "report/event_losses.h"

namespace mapscope {

using Json = nlohmann::ordered_json; // in the order of the documentation

template <typename T> Json or_null(const std::optional<T> &value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json or_null(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

inline Json seconds(std::uint64_t duration_ns) { return static_cast<double>(duration_ns) / 1e9; }

inline Json seconds(const std::optional<std::uint64_t> &duration_ns) {
  return duration_ns ? seconds(*duration_ns) : Json(nullptr);
}

Json frame_json(const SourceFrame &frame);
Json losses_json(const EventLosses &losses);
Json command_json(const std::optional<CommandEnd> &command);

} // namespace mapscope
