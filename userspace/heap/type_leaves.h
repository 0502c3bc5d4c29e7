// What of a type the collector follows: its pointers, strings, slices and the like, with structs
// and arrays flattened. Also how much of it is padding, which the same walk finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "heap/type_memory.h"

namespace mapscope {

// A part of a value that refers to other memory.
struct TypeLeaf {
  std::uint64_t offset = 0;
  GoKind kind = GoKind::invalid;
  bool is_empty_interface = false; // its first word is a type; of other interfaces, an itab
  bool has_pointers = true;        // false: to what no collector looks after
  std::uint64_t element = 0; // descriptor: what a pointer, slice or channel refers to; of a map,
                             // the map type
  friend bool operator==(const TypeLeaf &, const TypeLeaf &) = default;
};

// A limit on the work for types that nobody's compiler made.
struct TypeWork {
  std::uint64_t visits_left = 1 << 20;
  bool take() {
    if (visits_left == 0)
      return false;
    --visits_left;
    return true;
  }
};

// In the order of offsets.
std::optional<std::vector<TypeLeaf>> leaves_of(const TypeMemory &types, std::uint64_t type,
                                               std::size_t count_max, TypeWork &work);

// Bytes between fields and behind them, in nested structs and arrays as well.
std::optional<std::uint64_t> padding_of(const TypeMemory &types, std::uint64_t type,
                                        TypeWork &work);

} // namespace mapscope
