// All spans of a Go heap, and which object an address belongs to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "go/size_classes.h"
#include "heap/heap_layout.h"
#include "heap/runtime_data.h"

namespace mapscope {

// Go's size class with, in the lowest bit, "no pointers". Go source: runtime/mheap.go, spanClass.
struct SpanClass {
  std::uint8_t value = 0;

  std::uint8_t size_class() const { return value >> 1; } // 0: one large object
  bool has_pointers() const { return (value & 1) == 0; }
  friend bool operator==(SpanClass, SpanClass) = default;
};

// One mspan, as it was read. Nothing in it is believed before is_in_use() said so.
struct SpanFields {
  std::uint64_t mspan = 0; // its own address
  std::uint64_t start = 0, npages = 0, elemsize = 0;
  std::uint64_t freeindex = 0, nelems = 0;
  std::uint64_t alloc_bits = 0, mark_bits = 0; // addresses of bitmaps
  std::uint64_t large_type = 0;                // of a large object with pointers, Go 1.22 on
  std::uint32_t sweepgen = 0;
  std::uint16_t alloc_count = 0; // objects, garbage not yet swept included
  SpanClass span_class;
  std::uint8_t state = 0;

  static SpanFields parse(std::span<const std::byte> bytes, std::uint64_t mspan,
                          const SpanLayout &layout);

  // Holds objects of its class, and its numbers agree with each other.
  bool is_in_use() const;
};

// The object that an address lies in.
struct HeapObject {
  std::uint32_t span = 0; // index in the table
  std::uint32_t slot = 0;
  std::uint64_t start = 0;
  std::uint64_t size_bytes = 0; // of its slot
  bool has_pointers = false;
  bool has_malloc_header = false;

  // Where what the program sees begins. The header lies in front of objects with pointers above
  // 512 bytes that are not large. Go source: runtime/malloc.go@1.22, heapSetTypeSmallHeader.
  std::uint64_t data() const { return start + (has_malloc_header ? kMallocHeaderBytes : 0); }
  std::uint64_t data_bytes() const {
    return size_bytes - (has_malloc_header ? kMallocHeaderBytes : 0);
  }
};

class SpanTable {
public:
  static constexpr std::uint64_t kArenaBytes = 1 << 26; // heapArenaBytes on 64-bit Linux

  // Reads every mspan. Errors: unsupported (more spans than mapscope keeps), as
  // AddressSpace::read.
  static Result<SpanTable> read(AddressSpace &space, const HeapRoot &root,
                                const HeapLayout &layout);

  std::size_t size() const { return start_.size(); }
  std::uint64_t start(std::uint32_t span) const { return start_[span]; }
  std::uint64_t size_bytes(std::uint32_t span) const {
    return std::uint64_t{npages_[span]} * kGoPageBytes;
  }
  std::uint64_t elem_bytes(std::uint32_t span) const {
    std::uint8_t size_class = class_[span].size_class();
    return size_class == 0 ? size_bytes(span) : kSizeClasses[size_class];
  }
  std::uint16_t elem_count(std::uint32_t span) const { return nelems_[span]; }
  // Objects allocated in it when the table was made, garbage not yet swept included.
  std::uint16_t alloc_count(std::uint32_t span) const { return alloc_counts_[span]; }
  SpanClass span_class(std::uint32_t span) const { return class_[span]; }
  std::uint64_t mspan(std::uint32_t span) const { return mspan_[span]; }

  // Indexes of the spans of a class, in the order of their addresses.
  std::vector<std::uint32_t> spans_of(SpanClass span_class) const;

  std::optional<std::uint32_t> find_span(std::uint64_t address) const;
  std::optional<HeapObject> find_object(std::uint64_t address) const;
  // The object whose data begins exactly there: what every pointer of a map points to.
  std::optional<HeapObject> find_object_at(std::uint64_t address) const {
    auto object = find_object(address);
    return object && object->data() == address ? object : std::nullopt;
  }

  // What the runtime says of the page now, since spans come and go after the table was made.
  // Errors: as AddressSpace::read.
  Result<> refresh(AddressSpace &space, std::uint64_t address);

  // Spans that could not be read, or that lie where mapscope keeps no table: maps in them, or
  // that point into them, are not seen.
  std::uint64_t left_out_count() const { return left_out_count_; }
  // Where arenas begin that hold spans, ascending.
  std::vector<std::uint64_t> arena_starts() const;
  std::uint64_t arena_address(std::uint64_t address) const; // of its heapArena; 0: not known

private:
  static constexpr std::uint32_t kNone = 0;
  using ArenaPages = std::vector<std::uint32_t>; // span index + 1 of each page; kNone: none

  SpanTable(const HeapRoot &root, const HeapLayout &layout) : root_(root), layout_(layout) {}

  struct Arena {
    std::uint64_t index = 0;   // HeapRoot::arena_index
    std::uint64_t address = 0; // of its heapArena
    ArenaPages pages;
  };

  void add(const SpanFields &span);
  bool make_arena(std::uint64_t index); // false: there are too many
  std::uint32_t *page_entry(std::uint64_t address);
  const std::uint32_t *page_entry(std::uint64_t address) const {
    return const_cast<SpanTable *>(this)->page_entry(address);
  }
  Result<> read_arena_addresses(AddressSpace &space);

  HeapRoot root_;
  HeapLayout layout_;
  // A table, column by column: 25 bytes a span.
  std::vector<std::uint64_t> start_, mspan_;
  std::vector<std::uint32_t> npages_;
  std::vector<std::uint16_t> nelems_, alloc_counts_;
  std::vector<SpanClass> class_;
  std::vector<Arena> arenas_; // by index
  std::uint64_t left_out_count_ = 0;
};

} // namespace mapscope
