// A later pass over the same process: of a map that is still the same, with a word that still leads
// to it, nothing has to be found out again.
#pragma once

#include <optional>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/census.h"
#include "heap/owners/owners.h"
#include "heap/type_index.h"

namespace mapscope {

// What `before` still tells of the maps of this census, exact types told there; nothing where too
// many maps have come or moved since the last walk, and it is so long ago that walks as they are
// needed take less than a twentieth of a CPU. `now_ns`: monotonic. Errors: as AddressSpace::read.
Result<std::optional<Owners>> reuse_owners(AddressSpace &space, TypeIndex &types, Census &census,
                                           const Owners &before, std::uint64_t now_ns);

} // namespace mapscope
