// Type descriptors, read from the memory of a process: as the linker wrote them, and as reflect
// made them later. Nothing of a descriptor is believed that another part of it contradicts.
//
// Go source: runtime/type.go (until 1.20), internal/abi/type.go, map_noswiss.go, map_swiss.go and
// map.go there (1.21 on).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_type_layout.h"

namespace mapscope {

class GoTypes {
public:
  // Reads the descriptors of the executable once, some megabytes. Errors: unsupported (no such
  // range, or too large), as AddressSpace::read.
  static Result<GoTypes> read(AddressSpace &space, ProcessRange types, const BinaryFacts &facts);

  // Every map type there, in the order of addresses, those of generic shapes included (is_shape).
  std::vector<MapTypeLayout> map_types() const;

  std::optional<MapTypeLayout> map_type(ProcessAddress descriptor) const;
  // A type as a key or element has it: name, fields, padding.
  std::optional<GoType> type(ProcessAddress descriptor) const;

private:
  GoTypes() = default;
};

} // namespace mapscope
