// Goes through everything that one map is made of, once its decoder has found it to agree. What is
// counted on the way has to come out as the decoder counted it.
//
// Go source: internal/runtime/maps/map.go, table.go, group.go (1.24 on); runtime/map.go (classic).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/error.h"
#include "flow/map_anatomy.h"
#include "flow/map_type_layout.h"
#include "heap/decoded_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/map_parts.h"
#include "heap/object_reader.h"

namespace mapscope {

// One group or bucket that holds entries: bit i of `live` is set where cell i has one.
using VisitGroup = std::function<Result<>(std::span<const std::byte> group, unsigned live)>;

struct AnatomyWalk {
  AnatomyWalk(const HeapLayout &heap, ObjectReader &objects, const MapSample &sample)
      : layout(heap), reader(objects), parts(objects.spans()) {
    anatomy.map = sample;
  }

  const HeapLayout &layout;
  ObjectReader &reader;
  std::uint64_t group_bytes = 0;       // of a group or bucket; 0: not known
  const MapTypeLayout *type = nullptr; // where it is known, and its groups are of that size
  VisitGroup on_group;                 // may be empty

  MapAnatomy anatomy;
  MapParts parts;
  std::uint64_t live_count = 0, tombstone_count = 0, indirect_bytes = 0;
  bool agrees = true; // false: something is not as the decoder saw it

  // Counts a group's entries, and what they hold by pointer.
  Result<> take_entries(std::span<const std::byte> group, unsigned live);
  // The object whose data begins at `address` is a part of the map. Nothing where there is none;
  // then the walk no longer agrees.
  Result<std::optional<HeapObject>> take_object(MapPart part, std::uint64_t address,
                                                std::uint64_t asked_bytes);
  // Whether the bytes could be read; if not, the walk no longer agrees.
  Result<bool> read(std::uint64_t address, std::span<std::byte> into);

private:
  Result<> take_indirect(MapPart part, std::uint64_t pointer, std::uint64_t asked_bytes);
};

// Errors: as AddressSpace::read. What contradicts itself is told by AnatomyWalk::agrees.
Result<> walk_swiss(const HeaderCandidate &header, AnatomyWalk &walk);
Result<> walk_classic(const HeaderCandidate &header, const DecodedMap &decoded, AnatomyWalk &walk);

} // namespace mapscope
