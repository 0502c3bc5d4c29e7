// The hash that a Go process computes for a key: with it, a stranger that looks like a map is told
// from a map, and one map type from another.
//
// Only where the runtime hashes with AES instructions (amd64), and with the random keys of that
// very process. Go source: runtime/asm_amd64.s (aeshashbody, memhash64, memhash32), runtime/alg.go,
// cmd/compile/internal/reflectdata/alg.go (which function hashes which type).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "heap/bulk_read.h"
#include "heap/go_types.h"

namespace mapscope {

using HashKeys = std::array<std::byte, 128>; // runtime.aeskeysched

// How keys of one type are hashed, made once and used for many keys.
class KeyHash {
public:
  // Nothing where that can't be computed from outside.
  static std::optional<KeyHash> of(const GoTypes &types, ProcessAddress key_type,
                                   const HashKeys &keys);

  // Memory beside the key itself that its hash covers: of strings, and of values in interfaces.
  bool needs_memory() const;
  // False: this key has no hash that can be computed (a NaN, an interface with an unknown type).
  bool add_wanted(std::span<const std::byte> key, std::vector<WantedRange> &wanted) const;
  // `fetched`: the bytes of what add_wanted() named, in that order.
  std::optional<std::uint64_t> hash(std::span<const std::byte> key, std::uint64_t seed,
                                    std::span<const std::span<const std::byte>> fetched = {}) const;
};

} // namespace mapscope
