// The hash that a Go process computes for a key: with it, a stranger that looks like a map is told
// from a map, and one map type from another.
//
// Only where the runtime hashes with AES instructions (amd64), and with the random keys of that
// very process. Go source: runtime/asm_amd64.s (aeshashbody, memhash64, memhash32), runtime/alg.go,
// cmd/compile/internal/reflectdata/alg.go (which function hashes which type).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/address.h"
#include "heap/aes_hash.h"
#include "heap/bulk_read.h"
#include "heap/go_types.h"
#include "heap/hash_steps.h"

namespace mapscope {

// How keys of one type are hashed, made once and used for many keys.
class KeyHash {
public:
  // Who made the map type: reflect hashes with runtime.typehash, whose results differ from those
  // of the compiler's functions for structs with neighbouring fields of plain memory.
  enum class Maker { compiler, reflect };

  // Nothing where that can't be computed from outside.
  static std::optional<KeyHash> of(const GoTypes &types, ProcessAddress key_type,
                                   const HashKeys &keys, Maker maker = Maker::compiler);

  // Memory beside the key itself that its hash covers: of strings, and of values in interfaces.
  bool needs_memory() const { return needs_memory_; }
  // False: this key has no hash that can be computed (a NaN, an interface with an unknown type).
  //
  // What a value in an interface refers to is known only when that value is: then `fetched` is what
  // came of all that was wanted before, and what more is wanted is added. Nothing more: complete.
  // Keys without interfaces are complete after the first time.
  bool add_wanted(std::span<const std::byte> key, std::vector<WantedRange> &wanted,
                  std::span<const std::span<const std::byte>> fetched = {}) const;
  // Whether more than one such round can be needed.
  bool has_interfaces() const { return has_interfaces_; }
  // `fetched`: the bytes of what add_wanted() named, in that order.
  std::optional<std::uint64_t> hash(std::span<const std::byte> key, std::uint64_t seed,
                                    std::span<const std::span<const std::byte>> fetched = {}) const;

private:
  class Evaluation;

  KeyHash(GoTypes types, std::uint64_t key_bytes, std::vector<HashStep> steps,
          const HashKeys &keys);

  std::optional<std::uint64_t> simple_hash(std::span<const std::byte> key, std::uint64_t seed,
                                           std::span<const std::span<const std::byte>>) const;

  GoTypes types_; // for what interfaces hold
  std::uint64_t key_bytes_;
  std::vector<HashStep> steps_;
  bool needs_memory_ = false, has_interfaces_ = false;
  alignas(16) HashKeys keys_;
};

} // namespace mapscope
