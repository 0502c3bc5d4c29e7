// Goroutines of a hostile process: the list of them, their structures, stacks and the tables of
// their functions, of which the input changes words. Whatever they hold, no goroutine is told of
// twice, and no word lies outside of the stack that it is told of.
//
// The first four bytes change one offset of the layout, which an executable's debug information may
// say as it likes. Then come edits, see heap_edits.h.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <span>

#include "fuzz/fuzz_target.h"
#include "fuzz/heap_edits.h"
#include "heap/heap_layout.h"
#include "heap/owners/stack_roots.h"
#include "heap/stack_maps.h"
#include "memory/goroutines.h"
#include "unit/heap/fake_goroutines.h"

using namespace mapscope;
using mapscope::testing::FakeGoroutines;

namespace {

constexpr std::size_t kFrontBytes = 4;

void require(bool sound) {
  if (!sound)
    std::abort();
}

// Which offset, and what it is; the table names some hundred and fifty.
void change_layout(RuntimeLayout &layout, std::span<const std::byte> front) {
  std::uint16_t value;
  std::memcpy(&value, &front[2], sizeof value);
  if (front[1] == std::byte{0})
    return;
  const std::size_t index =
      (std::to_integer<std::size_t>(front[0]) | std::to_integer<std::size_t>(front[1]) << 8) %
      layout.offsets.size();
  // Small ones and those near the largest number.
  const bool is_huge = (value & 0x8000) != 0;
  std::next(layout.offsets.begin(), static_cast<std::ptrdiff_t>(index))->second =
      is_huge ? ~std::uint32_t{0} - (value & 0x7fffU) : value;
}

void check_snapshot(FakeGoroutines &program) {
  const auto snapshot = read_goroutines(program.memory, program.facts, {});
  if (!snapshot)
    return;
  for (const GoroutineStack &one : snapshot->goroutines)
    require(one.words.empty() ||
            one.words.size() <= (one.stack_hi - one.words_address) / sizeof(std::uint64_t));
}

void check_roots(FakeGoroutines &program) {
  const auto layout = HeapLayout::from(program.facts);
  const auto root = layout ? find_heap(program.memory, program.anchors, *layout)
                           : std::unexpected(layout.error());
  const auto spans =
      root ? SpanTable::read(program.memory, *root, *layout) : std::unexpected(root.error());
  if (!spans)
    return;
  const std::array data{ProcessRange{{FakeGoroutines::kData}, 4096}};
  const auto roots = read_stack_roots(program.memory, program.facts, {}, *spans, data,
                                      {.stack_bytes_max = 1 << 16, .rounds_max = 2});
  if (!roots)
    return;
  for (const StackWord &word : roots->words)
    require(word.frame < roots->frames.size());
  (void)roots->frame_at(FakeGoroutines::kStacks + 1024);
}

void check_maps(FakeGoroutines &program) {
  const auto found = find_stack_maps(
      program.memory, program.anchors, program.facts, {program.facts.all_goroutines.value},
      {.stack_bytes_max = 1 << 16, .bytes_max = 1 << 20, .rounds_max = 2});
  if (!found)
    return;
  require(std::ranges::is_sorted(found->maps, {},
                                 [](const StackMap &map) { return map.map.address.value; }));
  for (const StackMap &map : found->maps)
    require(map.map.is_on_stack && map.map.len <= map.map.slots);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(goroutines_fuzz, data, size_bytes) {
  static const FakeGoroutines whole;
  if (size_bytes < kFrontBytes)
    return 0;
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  FakeGoroutines program = whole;
  change_layout(program.facts.layout, bytes.first(kFrontBytes));
  constexpr std::uint64_t kStructure = 4096, kStack = FakeGoroutines::kStackBytes;
  const std::array places = {FakeGoroutines::kList,
                             FakeGoroutines::kStructures,
                             FakeGoroutines::kStructures + kStructure,
                             FakeGoroutines::kStructures + 2 * kStructure,
                             FakeGoroutines::kStacks + kStack / 2,
                             FakeGoroutines::kStacks + kStack,
                             FakeGoroutines::kModule,
                             FakeGoroutines::kBuckets,
                             FakeGoroutines::kFunctions,
                             FakeGoroutines::kSteps,
                             FakeGoroutines::kEntries,
                             FakeGoroutines::kLive,
                             FakeGoroutines::kMspans,
                             FakeGoroutines::kText,
                             program.groups};
  testing::edit_heap(program.memory, places, bytes.subspan(kFrontBytes));
  check_snapshot(program);
  check_roots(program);
  check_maps(program);
  return 0;
}
