// Go's hash of plain memory on amd64, built on AES rounds that are keyed with random bytes of each
// process.
//
// Go source: runtime/asm_amd64.s, aeshashbody, memhash32, memhash64, the same arithmetic from
// 1.17 to 1.26; internal/runtime/maps/memhash_amd64.s (1.27), the same again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mapscope {

using HashKeys = std::array<std::byte, 128>; // runtime.aeskeysched

// Whether this machine can compute it. The functions below need that.
bool can_hash_with_aes();

std::uint64_t hash_memory(std::span<const std::byte> bytes, std::uint64_t seed,
                          const HashKeys &keys);
// Of values of 4 bytes (with zeroes in front) and of 8: faster, and another result.
std::uint64_t hash_word(std::uint64_t value, std::uint64_t seed, const HashKeys &keys);

} // namespace mapscope
