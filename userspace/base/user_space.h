// Where the addresses of a process end, which tells numbers from what may be a pointer.
#pragma once

#include <cstdint>

#include "base/address.h"

namespace mapscope {

// At the latest: user space has 47 bits on x86-64 and 48 on arm64. On x86-64 nothing lies in
// between, which whoever reads there is told. Linux source: TASK_SIZE, DEFAULT_MAP_WINDOW.
inline constexpr std::uint64_t kEndOfUserSpace = std::uint64_t{1} << 48;

constexpr bool is_in_user_space(std::uint64_t address) { return address < kEndOfUserSpace; }

// A word that may point to something that is aligned as pointers are.
constexpr bool is_user_pointer(std::uint64_t word) {
  return word != 0 && word % sizeof(word) == 0 && is_in_user_space(word);
}

template <typename Space> constexpr bool is_in_user_space(const Range<Space> &range) {
  return is_in_user_space(range.start.value) &&
         range.size_bytes <= kEndOfUserSpace - range.start.value;
}

} // namespace mapscope
