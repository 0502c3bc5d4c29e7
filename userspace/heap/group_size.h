// The size of a swiss group or classic bucket, from nothing but the size class of an array of
// them: a few sizes are possible, and the contents decide.
#pragma once

#include <cstdint>

#include "heap/span_table.h"

namespace mapscope {

inline constexpr std::uint64_t kGroupSlots = 8; // of a bucket too, and as many control bytes

// Keys and elements above 128 bytes are kept by pointer. A group is a control word and eight
// slots; a bucket has an overflow pointer behind these. Go source: internal/abi/map_swiss.go and
// map_noswiss.go, MapMaxKeyBytes and MapMaxElemBytes.
inline constexpr std::uint32_t kGroupBytesMax = 8 + 8 * (128 + 128) + 8;
inline constexpr std::uint32_t kGroupBytesMin = 16; // of no key and no element

// Multiples of eight from first to last, both included; none where first > last.
struct GroupSizes {
  std::uint32_t first = kGroupBytesMin, last = 0;

  bool empty() const { return first > last; }
};

// Every size that groups may have of which `count` were asked of the heap as this object. They
// are multiples of eight, since the control word, or the overflow pointer, aligns them so.
GroupSizes possible_group_sizes(const HeapObject &array, std::uint64_t count);

} // namespace mapscope
