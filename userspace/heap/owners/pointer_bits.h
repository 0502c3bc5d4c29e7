// Which words of many heap objects the collector takes for pointers, read in bulk: what every claim
// of a type is held against, and all that is known of objects without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/heap_layout.h"
#include "heap/pointer_bitmap.h"
#include "heap/span_table.h"

namespace mapscope {

class PointerBits {
public:
  // All outlive it.
  PointerBits(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans);

  // Reads what the objects need (each lies in a span with pointers). Forgets what was read before.
  // Errors: as AddressSpace::read.
  Result<> read(std::span<const HeapObject> objects);

  // Bit i: word i of the object is a pointer; of objects above 512 bytes, of the first 64 words.
  // Nothing: the heap does not say (such objects from Go 1.22 on), or it was not read.
  std::optional<std::uint64_t> of(const HeapObject &object) const;

  // Of all words of one object, read now. Nothing: the heap does not say, or the object has more
  // words. Errors: as AddressSpace::read.
  Result<std::optional<std::vector<bool>>> words(const HeapObject &object,
                                                 std::uint64_t words_max = 1 << 20);

private:
  struct LongObject {
    std::uint64_t start = 0;
    PointerBitmapPlace place;
    std::optional<std::uint64_t> pointers;
  };
  Result<> read_pages();
  Result<> read_long_objects();

  AddressSpace &space_;
  const SpanTable &spans_;
  PointerBitmaps bitmaps_;
  std::size_t page_bytes_; // of the bits of a page
  // Spans of objects up to 512 bytes are one page: its bits, in a row of `page_bytes_`.
  std::vector<std::uint32_t> row_of_span_; // 0: none
  std::vector<std::uint32_t> pages_;       // spans with a row
  std::vector<std::byte> rows_;
  std::vector<LongObject> long_; // by start
};

} // namespace mapscope
