// Takes one map apart, for `maps --explain`.
#pragma once

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_anatomy.h"
#include "heap/census.h"
#include "heap/runtime_data.h"

namespace mapscope {

struct AnatomyOptions {
  bool payload = false;
  std::uint64_t payload_entries_max = 10'000; // sampled
  unsigned tries_max = 20;                    // of a map that changes meanwhile
};

// The map whose header lies at `address`. `type`: where the census knows it exactly; else null.
// Errors: not_found (no map there), unsettled maps are `malformed` with a sentence, as
// AddressSpace::read.
Result<MapAnatomy> take_apart(AddressSpace &space, const HeapAnchors &anchors,
                              const BinaryFacts &facts, ProcessAddress address,
                              const MapTypeLayout *type, const AnatomyOptions &options = {});

} // namespace mapscope
