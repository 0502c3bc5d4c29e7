// Where the heap notes which words of an object are pointers, and what these bits say: in front of
// the end of spans of small objects from Go 1.22 on, in the heapArena before.
//
// Go source: runtime/mbitmap.go, heapBitsForAddr (until 1.21), spanHeapBitsRange (1.22 on).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "heap/heap_layout.h"
#include "heap/span_table.h"

namespace mapscope {

// The bits of some words.
struct PointerBitmapPlace {
  std::uint64_t address = 0; // of the byte that they begin in
  std::uint32_t size_bytes = 0;
  std::uint32_t first = 0; // word of that byte that they begin with
};

class PointerBitmaps {
public:
  static constexpr std::uint64_t kPageWords = kGoPageBytes / 8;

  // How the spans of this heap end, which all of its tables show alike.
  PointerBitmaps(const SpanTable &spans, const HeapLayout &layout);

  // Of `word_count` words from `address` on, which is a multiple of 8 in that span. Nothing where
  // the heap has none (objects above 512 bytes from Go 1.22 on), or they lie apart.
  std::optional<PointerBitmapPlace> place(const SpanTable &spans, std::uint32_t span,
                                          std::uint64_t address, std::uint64_t word_count) const;

  // Bit i: word i from the place on is a pointer. At most 64, and no more than `bytes` tell. They
  // are of one object: what follows its last pointer is none.
  std::uint64_t pointers(std::span<const std::byte> bytes, std::uint32_t first,
                         std::uint64_t word_count) const;

private:
  PointerBitmap kind_;
  std::uint32_t arena_bitmap_;
  std::uint64_t inline_mark_bytes_ = 0; // behind the bitmap of spans with objects from 16 bytes on
};

} // namespace mapscope
