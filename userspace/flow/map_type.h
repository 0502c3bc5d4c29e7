// What the runtime's descriptor of a map type says: its name, and how large its parts are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/source.h"

namespace mapscope {

// Go source: internal/abi/map_swiss.go (1.24 and 1.25), internal/abi/map.go (1.26 on) for swiss
// maps; runtime/type.go, internal/abi/map_noswiss.go for classic ones. Sizes in bytes.
struct MapType {
  std::string name; // "map[string]main.Entry"
  std::uint64_t key_bytes = 0, element_bytes = 0;
  std::uint64_t group_bytes = 0; // of a swiss group or a classic bucket: eight entries each
  bool group_has_pointers = false;
  bool key_is_indirect = false, element_is_indirect = false; // held by pointer, above 128 bytes
  friend bool operator==(const MapType &, const MapType &) = default;
};

using MapTypePtr = std::shared_ptr<const MapType>; // interned by who reads them; null: not known

// What one executable says of itself when asked: implemented by binary/'s confined child, and by
// recordings, which hold the answers of that child.
class BinaryNames : public Symbolizer {
public:
  // Descriptors of map types. One answer per address, in order; empty where no map type's
  // descriptor lies there (a type that was made at run time by reflect has none in the file).
  virtual Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) = 0;

  // The map type that the code passes in its call of a map function: of the instruction before
  // each return address. Empty where the code does not tell (generic code, reflect).
  virtual Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) = 0;
};

} // namespace mapscope
