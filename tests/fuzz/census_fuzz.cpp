// A census, a second one with what the first learned, and every map taken apart, over a small heap
// made by hand of which the input changes words. Whatever they hold: each candidate is told of
// once, no map has more entries than slots, and what cannot be is refused. The input is edits, see
// heap_edits.h.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/census_checks.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/heap_edits.h"
#include "unit/heap/fake_heap.h"

using namespace mapscope;

namespace {

constexpr std::uint64_t kEmptyGroup = 0x8080808080808080;

struct Heap : testing::FakeHeap {
  Heap() {
    for (unsigned slot = 0; slot < 4; ++slot)
      allocate_header(headers, 0, slot);
    put_header(headers, 3, groups, 0);
    memory.put(groups, (kEmptyGroup & ~0xffffffULL) | 0x112233);

    put_header(headers + 48, 9, directories, 1);
    memory.put(directories, tables);
    put_table(tables, 9, 16, 4, 0, arrays);
    memory.put(arrays, std::uint64_t{0x0102030405060708});
    memory.put(arrays + 136, (kEmptyGroup & ~0xffffULL) | 0x7efe);

    put_header(headers + 96, 0, 0, 0);

    // Two tables, of which one is still empty.
    put_header(headers + 144, 8, directories + 16, 2);
    memory.put(directories + 16, tables + 32);
    memory.put(directories + 24, tables + 64);
    put_table(tables + 32, 8, 16, 6, 0, arrays + 288);
    put_table(tables + 64, 0, 16, 14, 1, arrays + 576);
    memory.put(arrays + 288, std::uint64_t{0x0102030405060708});
    for (std::uint64_t empty : {424u, 576u, 712u})
      memory.put(arrays + empty, kEmptyGroup);
    for (std::uint64_t table : {32u, 64u})
      memory.put(tables + table + layout.swiss.table_local_depth, std::uint8_t{1});
    for (int i = 0; i < 4; ++i)
      add_span(1024, false);
  }

  void edit(std::span<const std::byte> edits) {
    const std::array places = {
        kMheap,  kSpans, kMspans,     kBits,  kHeapArenas + layout.arena_spans,
        headers, groups, directories, tables, arrays};
    testing::edit_heap(memory, places, edits);
  }

  std::uint64_t headers = add_span(48, true);
  std::uint64_t groups = add_span(144, false);
  std::uint64_t directories = add_span(16, true);
  std::uint64_t tables = add_span(32, true);
  std::uint64_t arrays = add_span(288, false);
};

} // namespace

MAPSCOPE_FUZZ_TARGET(census_fuzz, data, size_bytes) {
  testing::look_at_edited<Heap>(
      std::as_bytes(std::span{data, size_bytes}),
      [](const MapSample &map) { return map.len + map.tombstones <= map.slots; });
  return 0;
}
