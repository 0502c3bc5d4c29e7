// A Go heap made by hand, with the layout of Go 1.26 unless another is wanted: spans, objects and
// swiss maps at addresses that a test picks, so that it can spoil any byte of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <vector>

#include "binary/layout_table.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "go/size_classes.h"
#include "heap/heap_layout.h"
#include "heap/runtime_data.h"

namespace mapscope::testing {

// Ranges of memory; what lies outside cannot be read.
class FakeMemory : public AddressSpace {
public:
  std::vector<std::byte> &add(std::uint64_t address, std::size_t size_bytes) {
    return ranges_[address] = std::vector<std::byte>(size_bytes);
  }
  // Where a byte is; null: nowhere.
  std::byte *at(std::uint64_t address, std::size_t size_bytes = 1) {
    auto after = ranges_.upper_bound(address);
    if (after == ranges_.begin())
      return nullptr;
    auto &[start, bytes] = *std::prev(after);
    std::uint64_t offset = address - start;
    return offset <= bytes.size() && size_bytes <= bytes.size() - offset ? &bytes[offset] : nullptr;
  }
  template <typename T> void put(std::uint64_t address, T value) {
    std::memcpy(at(address, sizeof(T)), &value, sizeof(T));
  }

  Result<> read(std::span<MemoryRead> reads) override {
    for (MemoryRead &wanted : reads) {
      const std::byte *from = at(wanted.address.value, wanted.into.size());
      wanted.is_read = from != nullptr;
      if (wanted.is_read && !wanted.into.empty())
        std::memcpy(wanted.into.data(), from, wanted.into.size());
    }
    return {};
  }
  Result<std::vector<Mapping>> mappings() override { return std::vector<Mapping>{}; }

  std::map<std::uint64_t, std::vector<std::byte>> &ranges() { return ranges_; }

private:
  std::map<std::uint64_t, std::vector<std::byte>> ranges_;
};

class FakeHeap {
public:
  static constexpr std::uint64_t kData = 0x10000000; // .noptrbss, with mheap_ in it
  static constexpr std::uint64_t kMheap = kData + 4096;
  static constexpr std::uint64_t kSpans = 0x20000000, kArenas = 0x30000000;
  static constexpr std::uint64_t kMspans = 0x40000000, kBits = 0x50000000;
  static constexpr std::uint64_t kHeapArenas = 0x60000000;
  static constexpr std::uint64_t kArenaBytes = 1 << 26;
  static constexpr std::uint64_t kStart = 0xc000000000 + kArenaBytes - 16 * kGoPageBytes;
  static constexpr std::uint32_t kSweepgen = 10;
  static constexpr std::size_t kSpansMax = 64;

  // Of 1.22 or newer: older ones have the bits of pointers elsewhere.
  explicit FakeHeap(GoVersion version = {1, 26, 8},
                    MapImplementation maps = MapImplementation::swiss) {
    facts.version = version;
    facts.map_implementation = maps;
    facts.layout = layout_for(facts.version, Machine::amd64, {});
    facts.machine = Machine::amd64;
    layout = *HeapLayout::from(facts);
    anchors.data = {{{kData}, 4096 + layout.mheap.size}};
    memory.add(kData, 4096 + layout.mheap.size);
    memory.add(kSpans, kSpansMax * 8);
    memory.add(kMspans, kSpansMax * layout.span.size);
    memory.add(kBits, kSpansMax * 64);
    std::uint64_t index = HeapRoot::arena_index(Machine::amd64, kStart);
    memory.add(kArenas + index * 8, 16);
    for (std::uint64_t i = 0; i < 2; ++i) { // the heap begins at the end of the first arena
      memory.add(kHeapArenas + i * 0x100000, layout.arena_spans + 8192 * 8);
      memory.put(kArenas + (index + i) * 8, kHeapArenas + i * 0x100000);
    }
    memory.put(kMheap + layout.mheap.sweepgen, kSweepgen);
    memory.put(kMheap + layout.mheap.arenas, kArenas);
    memory.put(kMheap + layout.mheap.allspans, kSpans);
    memory.put(kMheap + layout.mheap.allspans + 16, std::uint64_t{kSpansMax});
  }

  // A span of free objects. They have their pointers behind them, and from 1.26 on the marks of
  // green tea behind these.
  std::uint64_t add_span(std::uint64_t elem_bytes, bool has_pointers, std::uint64_t pages = 1) {
    std::uint64_t start = next_page_, mspan = kMspans + span_count_ * layout.span.size;
    next_page_ += pages * kGoPageBytes;
    memory.add(start, pages * kGoPageBytes);
    auto size_class = std::lower_bound(kSizeClasses.begin(), kSizeClasses.end(), elem_bytes);
    std::uint64_t room =
        pages * kGoPageBytes - (has_pointers && elem_bytes <= 512 ? bits_bytes() : 0);
    const SpanLayout &at = layout.span;
    memory.put(mspan + at.start, start);
    memory.put(mspan + at.npages, pages);
    memory.put(mspan + at.elemsize, elem_bytes);
    memory.put(mspan + at.nelems, static_cast<std::uint16_t>(room / elem_bytes));
    memory.put(mspan + at.alloc_bits, kBits + span_count_ * 64);
    memory.put(mspan + at.mark_bits, kBits + span_count_ * 64 + 32);
    memory.put(mspan + at.sweepgen, kSweepgen);
    memory.put(mspan + at.spanclass,
               static_cast<std::uint8_t>((size_class - kSizeClasses.begin()) * 2 + !has_pointers));
    memory.put(mspan + at.state, std::uint8_t{1});
    for (std::uint64_t page = start; page < next_page_; page += kGoPageBytes)
      memory.put(kHeapArenas + (page / kArenaBytes - kStart / kArenaBytes) * 0x100000 +
                     layout.arena_spans + page / kGoPageBytes % 8192 * 8,
                 mspan);
    memory.put(kSpans + span_count_ * 8, mspan);
    memory.put(kMheap + layout.mheap.allspans + 8, ++span_count_);
    return start;
  }

  std::uint64_t mspan_of(std::size_t span) const { return kMspans + span * layout.span.size; }

  // Marks the slot allocated, with the pointers of a header.
  void allocate_header(std::uint64_t span_start, std::size_t span, unsigned slot,
                       std::initializer_list<unsigned> words = {2}) {
    set_bit(kBits + span * 64, slot);
    for (const unsigned word : words)
      set_bit(span_start + kGoPageBytes - bits_bytes(), slot * 6 + word);
  }
  void set_bit(std::uint64_t bits, unsigned index) {
    *memory.at(bits + index / 8) |= std::byte{1} << index % 8;
  }

  void put_header(std::uint64_t address, std::uint64_t used, std::uint64_t contents,
                  std::uint64_t dir_len) {
    const SwissLayout &at = layout.swiss;
    auto depth = static_cast<std::uint8_t>(dir_len == 0 ? 0 : std::bit_width(dir_len) - 1);
    memory.put(address + at.used, used);
    memory.put(address + at.seed, std::uint64_t{0x123456789abcdef0});
    memory.put(address + at.dir_ptr, contents);
    memory.put(address + at.dir_len, dir_len);
    memory.put(address + at.global_depth, depth);
    memory.put(address + at.global_shift, static_cast<std::uint8_t>(dir_len == 0 ? 0 : 64 - depth));
  }

  void put_table(std::uint64_t address, std::uint16_t used, std::uint16_t capacity,
                 std::uint16_t growth_left, std::uint64_t index, std::uint64_t groups) {
    const SwissLayout &at = layout.swiss;
    memory.put(address + at.table_used, used);
    memory.put(address + at.table_capacity, capacity);
    memory.put(address + at.table_growth_left, growth_left);
    memory.put(address + at.table_index, index);
    memory.put(address + at.table_groups, groups);
    memory.put(address + at.table_length_mask, std::uint64_t{capacity} / 8 - 1);
  }

  BinaryFacts facts;
  HeapLayout layout;
  HeapAnchors anchors;
  FakeMemory memory;

private:
  std::uint64_t bits_bytes() const { return facts.version.minor >= 26 ? 256 : 128; }

  std::uint64_t next_page_ = kStart;
  std::uint64_t span_count_ = 0;
};

} // namespace mapscope::testing
