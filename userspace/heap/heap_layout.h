// Where the fields of the Go heap and of map headers lie, taken from a layout once and checked,
// so that the readers of many objects look nothing up by name.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Where the heap keeps which words of an object are pointers.
enum class PointerBitmap {
  arena_two_bits, // heapArena.bitmap, two bits a word: Go 1.17 to 1.19
  arena_one_bit,  // heapArena.bitmap, one bit a word: Go 1.20 and 1.21
  in_span,        // at the end of each span of objects up to 512 bytes: Go 1.22 on
};

struct MheapLayout {
  std::uint32_t size = 0, sweepgen = 0, allspans = 0, arenas = 0;
};

struct SpanLayout {
  std::uint32_t size = 0, start = 0, npages = 0, freeindex = 0, nelems = 0, alloc_bits = 0,
                mark_bits = 0, sweepgen = 0, alloc_count = 0, spanclass = 0, state = 0,
                elemsize = 0;
  std::uint32_t index_bytes = 8;           // of freeindex and nelems: 8 until 1.21, 2 from 1.22
  std::optional<std::uint32_t> large_type; // 1.22 on
};

// internal/runtime/maps.Map and table.
struct SwissLayout {
  std::uint32_t used = 0, seed = 0, dir_ptr = 0, dir_len = 0, global_depth = 0, global_shift = 0,
                writing = 0, clear_seq = 0;
  std::uint32_t table_size = 0, table_used = 0, table_capacity = 0, table_growth_left = 0,
                table_local_depth = 0, table_index = 0, table_groups = 0, table_length_mask = 0;
};

// runtime.hmap and mapextra.
struct ClassicLayout {
  std::uint32_t count = 0, flags = 0, b = 0, noverflow = 0, hash0 = 0, buckets = 0, oldbuckets = 0,
                nevacuate = 0, extra = 0;
  std::optional<std::uint32_t> clear_seq; // of noswissmap builds
  std::uint32_t extra_size = 0, extra_overflow = 0, extra_oldoverflow = 0;
};

struct HeapLayout {
  Machine machine = Machine::amd64;
  MheapLayout mheap;
  SpanLayout span;
  std::uint32_t arena_spans = 0;  // heapArena.spans
  std::uint32_t arena_bitmap = 0; // heapArena.bitmap, where it has one
  PointerBitmap pointer_bitmap = PointerBitmap::in_span;

  MapImplementation maps = MapImplementation::none;
  std::uint32_t header_size = 0; // of a map header: 48, or 56 (noswissmap of 1.24 and 1.25)
  SwissLayout swiss;             // of the two, the one that `maps` names
  ClassicLayout classic;

  bool has_malloc_headers() const { return pointer_bitmap == PointerBitmap::in_span; }

  // unsupported: the layout lacks a field, or has one where none can be.
  static Result<HeapLayout> from(const BinaryFacts &facts);
};

} // namespace mapscope
