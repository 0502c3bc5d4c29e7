// Descriptors of map types in an executable: what the linker wrote for the runtime and reflect.
#pragma once

#include <optional>

#include "base/address.h"
#include "binary/go_binary.h"
#include "flow/map_type.h"
#include "go/type_descriptor.h"

namespace mapscope {

// Reads descriptors of one binary, which must outlive it.
//
// Go source: runtime/type.go (until 1.20), internal/abi/type.go, and map_noswiss.go and
// map_swiss.go there (map.go from 1.26 on).
class MapTypeReader {
public:
  explicit MapTypeReader(const GoBinary &binary);

  // The map type whose descriptor lies at `descriptor`. Nothing where there is none, or where one
  // field contradicts another: then it is no map type, or none that we know how to read.
  std::optional<MapType> read(ElfAddress descriptor) const;

private:
  Result<MapType> try_read(ElfAddress descriptor) const;
  Result<std::string> read_name(std::int32_t offset, bool has_extra_star) const;

  const GoBinary &binary_;
  std::optional<MapTypeShape> shape_; // none: the binary has no maps
};

} // namespace mapscope
