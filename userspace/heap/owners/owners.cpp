// From roots to witnesses, and from these to what still holds.
#include "heap/owners/owners.h"

#include <algorithm>

namespace mapscope {

const OwnedMap *Owners::find(ProcessAddress address, std::uint64_t seed) const {
  auto map = std::ranges::lower_bound(maps, address.value, {}, &OwnedMap::address);
  return map != maps.end() && map->address == address.value &&
                 map->seed == static_cast<std::uint32_t>(seed)
             ? &*map
             : nullptr;
}

Result<Owners> find_owners(AddressSpace &, const OwnerContext &, TypeCheck &, Census &,
                           const Owners *, const OwnerLimits &) {
  return Owners{};
}

Result<std::vector<OwnerStep>> explain_owner(AddressSpace &, const OwnerContext &, TypeCheck &,
                                             const Owners &, ProcessAddress) {
  return std::vector<OwnerStep>{};
}

} // namespace mapscope
