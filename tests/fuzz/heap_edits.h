// How fuzz targets change a heap made by hand.
//
// An edit is 12 bytes: a place, a width, an offset of 16 bits, and a word, which the highest bit of
// the width turns into a pointer to a place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "unit/heap/fake_heap.h"

namespace mapscope::testing {

inline constexpr std::size_t kEditBytes = 12, kEditsMax = 256;

inline void edit_heap(FakeMemory &memory, std::span<const std::uint64_t> places,
                      std::span<const std::byte, kEditBytes> bytes) {
  const auto place = std::to_integer<std::size_t>(bytes[0]) % places.size();
  const auto width = std::size_t{1} << (std::to_integer<unsigned>(bytes[1]) & 3);
  std::uint16_t offset;
  std::memcpy(&offset, &bytes[2], sizeof offset);
  std::uint64_t word;
  std::memcpy(&word, &bytes[4], sizeof word);
  if ((bytes[1] & std::byte{0x80}) != std::byte{0})
    word = places[(word & 0xff) % places.size()] + (word >> 8 & 0xffff);
  if (std::byte *at = memory.at(places[place] + offset, width))
    std::memcpy(at, &word, width);
}

// All edits of an input, as many as there may be.
inline void edit_heap(FakeMemory &memory, std::span<const std::uint64_t> places,
                      std::span<const std::byte> edits) {
  for (std::size_t i = 0; i < kEditsMax && edits.size() >= kEditBytes; ++i) {
    edit_heap(memory, places, edits.first<kEditBytes>());
    edits = edits.subspan(kEditBytes);
  }
}

} // namespace mapscope::testing
