// Where the bytes of a map go: every one of them once, as far as its type is known.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "flow/judged_map.h"

namespace mapscope {

using MapTypes = std::span<const MapTypeLayout *const>; // that a map may have; none: not known

BytesByCause bytes_by_cause(const MapSample &map, MapTypes candidates);

// Of one group or bucket: as the heap tells it, else as all candidates have it; 0: not known.
std::uint32_t group_bytes_of(const MapSample &map, MapTypes candidates);

// One cell of a group or bucket, without its control byte; absent where that is not known.
std::optional<std::uint64_t> bytes_per_slot_of(const MapSample &map, MapTypes candidates);

} // namespace mapscope
