// Which of the objects that the memory profile sampled are parts of maps.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "heap/heap_layout.h"
#include "heap/map_table.h"
#include "heap/sites/allocation_profile.h"
#include "heap/span_table.h"

namespace mapscope {

// A sampled object that is a header, a directory, a table, or an array of groups or buckets.
struct MapPartSample {
  std::uint64_t map = 0; // address of the header
  std::uint32_t bucket = 0;
  bool is_header = false; // else it came with a growth, or with a hint
  friend auto operator<=>(const MapPartSample &, const MapPartSample &) = default;
};

// Reads what the headers of these maps point to, if anything was sampled; then, once more, what the
// spans say of the objects that were found, so that none has the bucket of what was there before.
// `spans`: of the profile. Errors: as read_allocation_profile().
Result<std::vector<MapPartSample>> find_sampled_parts(AddressSpace &space, const BinaryFacts &facts,
                                                      const HeapLayout &layout,
                                                      const SpanTable &spans, const MapTable &maps,
                                                      const AllocationProfile &profile);

} // namespace mapscope
