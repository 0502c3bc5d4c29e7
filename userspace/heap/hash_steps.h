// What a Go program does, one thing after the other, to hash a key of some type.
//
// There are two ways, whose results differ: functions that the compiler makes for the keys of map
// types, and runtime.typehash, which walks descriptors, for what an interface holds and for map
// types that reflect made.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "heap/type_memory.h"

namespace mapscope {

// Each step takes the hash so far as its seed.
struct HashStep {
  enum class Kind : std::uint8_t {
    memory,    // runtime.memhash
    word,      // memhash64 and memhash32
    string,    // strhash
    float_,    // f32hash and f64hash
    interface, // interhash and nilinterhash
  };
  Kind kind = Kind::memory;
  bool is_empty_interface = false;
  std::uint32_t offset = 0, size_bytes = 0; // in the value
  friend bool operator==(const HashStep &, const HashStep &) = default;
};

// Nothing where the type has no hash, makes no sense, or needs too many steps.
// Go source: cmd/compile/internal/reflectdata/alg.go, types/alg.go, compare/compare.go.
std::optional<std::vector<HashStep>> compiled_hash(const TypeMemory &types, std::uint64_t type);
// Go source: runtime/alg.go, typehash.
std::optional<std::vector<HashStep>> runtime_hash(const TypeMemory &types, std::uint64_t type);

} // namespace mapscope
