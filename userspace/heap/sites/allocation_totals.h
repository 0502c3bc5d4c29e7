// What a process has allocated since its start, and what of it map functions did, as its own
// memory profile estimates it: one pass over the stacks that it sampled, none over its heap.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

struct AllocationTotals {
  std::uint64_t bytes = 0, map_bytes = 0;
};

// Nothing: the program takes no samples, or where they are or how often they are taken is not
// known, or there are too many stacks. Errors: as AddressSpace::read.
Result<std::optional<AllocationTotals>>
read_allocation_totals(AddressSpace &space, const BinaryFacts &facts, LoadBias bias);

} // namespace mapscope
