// The control words of a swiss map, against what its tables or its header say.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "heap/decoded_map.h"
#include "heap/span_table.h"

namespace mapscope {

// What a table says of itself, small enough for the tag of a request.
struct TableCounts {
  std::uint32_t used = 0, tombstones = 0; // 1,024 at most
  std::uint32_t capacity = 0;             // a power of two; 0: the group of a small map

  std::uint32_t pack() const {
    return used | tombstones << 11 | static_cast<std::uint32_t>(std::bit_width(capacity)) << 22;
  }
  static TableCounts unpack(std::uint32_t tag) {
    std::uint32_t width = tag >> 22;
    return {tag & 0x7ff, tag >> 11 & 0x7ff, width == 0 ? 0 : std::uint32_t{1} << (width - 1)};
  }
};

// Whether all of it is zero.
bool all_zero(std::span<const std::byte> bytes);

// Control words have to say what table or header say of their counts; false: they don't. Tells the
// size of a group, where that is clear, and whether entries were deleted. The map contradicts
// itself where that size is not that of its other tables. `sizes`: of a group, as far as they tell.
bool take_groups(TableCounts expected, std::span<const std::byte> bytes, const HeapObject &array,
                 std::vector<std::uint32_t> &sizes, DecodedMap &map);

} // namespace mapscope
