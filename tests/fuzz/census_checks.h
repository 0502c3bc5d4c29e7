// What fuzz targets of the census do with a heap made by hand, whichever kind of maps is in it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>

#include "heap/anatomy.h"
#include "heap/census.h"
#include "heap/census_memory.h"

namespace mapscope::testing {

inline void require(bool sound) {
  if (!sound)
    std::abort();
}

// `is_sound`: of a map, what holds for its kind alone.
template <typename IsSound> void check_census(const Census &census, const IsSound &is_sound) {
  const CensusCounts &counts = census.counts;
  require(counts.candidate_count == counts.map_count + counts.copy_count + counts.rejected_count +
                                        counts.unsettled_count + counts.gone_count +
                                        counts.too_large_count);
  require(counts.map_count == census.maps.size());
  for (std::size_t i = 0; i < census.maps.size(); ++i) {
    const MapSample map = census.maps[i];
    require(is_sound(map));
    require(map.bytes.total() >= map.bytes.header);
    require(map.types < census.type_sets.size());
  }
}

// Of a copy of the same heap for each input: a census, another that remembers the first, and each
// map taken apart.
template <typename Heap, typename IsSound>
void look_at_edited(std::span<const std::byte> edits, const IsSound &is_sound) {
  static const Heap whole;
  Heap heap = whole;
  heap.edit(edits);
  CensusMemory memory;
  const CensusOptions options{.tries_max = 4, .residency = true, .memory = &memory};
  auto census = take_census(heap.memory, heap.anchors, heap.facts, options);
  if (!census)
    return;
  check_census(*census, is_sound);
  if (auto again = take_census(heap.memory, heap.anchors, heap.facts, options))
    check_census(*again, is_sound);
  for (std::size_t i = 0; i < census->maps.size(); ++i)
    (void)take_apart(heap.memory, heap.anchors, heap.facts, census->maps[i].address, nullptr,
                     {.payload = true, .tries_max = 2});
}

} // namespace mapscope::testing
