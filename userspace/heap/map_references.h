// Typed objects that point to maps: a second witness of what is a map and of which type, for those
// whose own contents tell too little.
//
// The heap says of objects with pointers above 512 bytes what type they have (Go 1.22 on): in a
// malloc header, or in the span of a large object. What such an object holds as a map is one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/heap_layout.h"
#include "heap/map_table.h"
#include "heap/span_table.h"
#include "heap/type_index.h"

namespace mapscope {

// A map that was found to be pointed to.
struct ReferencedMap {
  std::uint64_t address = 0;
  std::uint32_t seed = 0;  // its low half: with the address, the identity of the map
  std::uint32_t types = 0; // the set that is left; kUnknownTypes: the reference tells no type

  friend auto operator<=>(const ReferencedMap &, const ReferencedMap &) = default;
};

struct ReferenceLimits {
  std::uint64_t bytes_max = 256 << 20;       // of objects that are read
  std::uint64_t maps_max = 1 << 20;          // that witnesses are looked for
  std::uint64_t references_max = 4ULL << 20; // words that point to them
};

// What an earlier search found, for the next one in the same process.
struct ReferenceMemory {
  std::vector<ReferencedMap> found; // in the order of addresses
  std::uint64_t left_count = 0;     // maps that nothing was found for
};

// Raises maps of the table to MapEvidence::referenced, and tells their type where the word that
// points to them has one that their contents allow. What an earlier search found of the same map
// holds; another search is made when many maps have come since. Errors: as AddressSpace::read.
Result<> tell_references(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
                         TypeIndex &types, MapTable &maps, ReferenceMemory &memory,
                         const ReferenceLimits &limits = {});

} // namespace mapscope
