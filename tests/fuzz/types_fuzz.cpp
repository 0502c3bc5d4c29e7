// Type descriptors of a hostile process, and the keys that it says are of these types.
//
// The first byte says which release and implementation; then come the range of types, at the
// address that its pointers mean, and at its end the bytes of a key.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "heap/go_types.h"
#include "heap/key_hash.h"
#include "support/synthetic_types.h"

using namespace mapscope;
using mapscope::testing::FlatMemory;
using mapscope::testing::SyntheticTypes;

namespace {

constexpr std::size_t kKeyBytes = 64;

// As a census does it: what a key refers to, round by round.
void hash_key(const KeyHash &hash, std::span<const std::byte> key, AddressSpace &space) {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<std::span<const std::byte>> fetched;
  std::vector<WantedRange> wanted;
  for (int round = 0; round < 10; ++round) {
    if (!hash.add_wanted(key, wanted, fetched))
      return;
    if (wanted.size() == bytes.size()) {
      (void)hash.hash(key, 1, fetched);
      return;
    }
    while (bytes.size() < wanted.size()) {
      const WantedRange &range = wanted[bytes.size()];
      bytes.emplace_back(range.size_bytes);
      if (!read_exactly(space, range.address, bytes.back()))
        bytes.back().clear();
    }
    fetched.assign(bytes.begin(), bytes.end());
  }
  std::abort(); // the number of rounds has a limit
}

void use(const GoTypes &types, const MapTypeLayout &map, std::span<const std::byte> key,
         AddressSpace &space) {
  if (map.keys_offset + 7 * std::uint64_t{map.key_stride} + map.key_bytes_in_group() >
          map.type.group_bytes ||
      map.elements_offset + 7 * std::uint64_t{map.element_stride} + map.element_bytes_in_group() >
          map.type.group_bytes ||
      map.key.padding_bytes > map.key.size_bytes)
    std::abort();
  (void)map.padding_bytes_per_slot();
  (void)types.pointer_words(map.group);
  (void)types.leaves(map.group, 4096);
  HashKeys keys{};
  keys.fill(std::byte{0x5a});
  const auto key_type = types.memory().word(map.descriptor.value + TypeFields::kMapKey);
  for (auto maker : {KeyHash::Maker::compiler, KeyHash::Maker::reflect})
    if (const auto hash = KeyHash::of(types, {*key_type}, keys, maker))
      hash_key(*hash, key, space);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(types_fuzz, data, size_bytes) {
  if (size_bytes < 1 + kKeyBytes)
    return 0;
  const auto bytes = std::as_bytes(std::span{data, size_bytes}).subspan(1);
  const auto key = bytes.last(kKeyBytes);
  constexpr std::array<unsigned, 4> kMinors{18, 23, 25, 27};
  const auto facts =
      testing::facts_with_maps(data[0] & 1 ? MapImplementation::classic : MapImplementation::swiss,
                               kMinors[data[0] >> 1 & 3]);
  FlatMemory space{SyntheticTypes::kStart, {bytes.begin(), bytes.end()}};
  // Half of the time, only a part of it is the range of types, and the rest a heap.
  ProcessRange range = space.range();
  if (data[0] & 8)
    range.size_bytes /= 2;
  auto types = GoTypes::read(space, range, facts);
  if (!types)
    return 0;
  for (const MapTypeLayout &map : types->map_types())
    use(*types, map, key, space);
  const auto last = load<std::uint64_t>(key, 0);
  if (types->learn(space, {last}).value_or(false))
    if (const auto map = types->map_type({last}))
      use(*types, *map, key, space);
  return 0;
}
