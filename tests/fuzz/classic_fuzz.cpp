// The census of a program with classic maps, as census_fuzz.cpp has it with swiss ones: small,
// large, growing, with overflow buckets and spare ones. The input is edits, see heap_edits.h.
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "fuzz/census_checks.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/heap_edits.h"
#include "unit/heap/fake_heap.h"

using namespace mapscope;

namespace {

// map[int64]int64: tophash, keys, elements, overflow.
constexpr std::uint64_t kBucket = 8 + 64 + 64 + 8;
constexpr std::uint64_t kFull = 0x0c0b0a0908070605, kThree = 0x0000000000070605,
                        kEvacuated = 0x0404020302030203;

struct Hmap {
  std::uint64_t count = 0;
  std::uint8_t b = 0;
  std::uint16_t overflow_count = 0;
  std::uint64_t buckets = 0, old = 0, evacuated = 0, extra = 0;
};

struct Heap : testing::FakeHeap {
  Heap() : FakeHeap({1, 23, 12}, MapImplementation::classic) {
    for (unsigned slot = 0; slot < 4; ++slot)
      allocate_header(headers, 0, slot, {2, 3, 5});
    put(0, {.count = 3, .buckets = arrays});
    memory.put(arrays, kThree);

    // Two buckets, an overflow bucket behind the first.
    put(1, {.count = 11, .b = 1, .overflow_count = 1, .buckets = pairs, .extra = extras});
    memory.put(pairs, kFull);
    memory.put(pairs + kBucket - 8, arrays + kBucket);
    memory.put(arrays + kBucket, kThree);
    memory.put(extras, extras + 24); // overflow, of which the first is a slice
    set_bit(kBits + 3 * 64, 0);

    // Growing: half of the old buckets are evacuated.
    put(2, {.count = 6, .b = 2, .buckets = fours, .old = pairs + 2 * kBucket, .evacuated = 1});
    memory.put(fours, kThree);
    memory.put(pairs + 2 * kBucket, kEvacuated);
    memory.put(pairs + 3 * kBucket, kThree);

    // Sixteen buckets and a spare one.
    put(3, {.count = 8, .b = 4, .buckets = large});
    memory.put(large, kFull);
    for (int i = 0; i < 4; ++i)
      add_span(1024, false);
  }

  void put(unsigned slot, const Hmap &map) {
    const ClassicLayout &at = layout.classic;
    const std::uint64_t header = headers + 48 * std::uint64_t{slot};
    memory.put(header + at.count, map.count);
    memory.put(header + at.b, map.b);
    memory.put(header + at.noverflow, map.overflow_count);
    memory.put(header + at.hash0, std::uint32_t{0x12345678});
    memory.put(header + at.buckets, map.buckets);
    memory.put(header + at.oldbuckets, map.old);
    memory.put(header + at.nevacuate, map.evacuated);
    memory.put(header + at.extra, map.extra);
  }

  void edit(std::span<const std::byte> edits) {
    const std::array places = {kMheap,  kSpans, kMspans, kBits,  kHeapArenas + layout.arena_spans,
                               headers, arrays, pairs,   extras, fours,
                               large};
    testing::edit_heap(memory, places, edits);
  }

  std::uint64_t headers = add_span(48, true), arrays = add_span(144, false),
                pairs = add_span(288, false), extras = add_span(24, true),
                fours = add_span(576, false), large = add_span(2688, false);
};

} // namespace

MAPSCOPE_FUZZ_TARGET(classic_fuzz, data, size_bytes) {
  testing::look_at_edited<Heap>(std::as_bytes(std::span{data, size_bytes}),
                                [](const MapSample &map) { return map.len <= map.slots; });
  return 0;
}
