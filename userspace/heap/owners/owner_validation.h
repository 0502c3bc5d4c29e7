// What a walk brought, held against the memory as it is afterwards and against what the census
// knows: a map that became another one meanwhile, or a word that points elsewhere by now, proves
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/census.h"
#include "heap/heap_layout.h"
#include "heap/owners/graph_walk.h"
#include "heap/type_index.h"

namespace mapscope {

// What a map is said to be, and what still holds of it.
struct MapClaim {
  std::uint64_t address = 0, seed = 0; // of the census
  std::uint64_t word = 0;              // that leads to it; 0: none
  bool is_same_map = false;            // it has its seed
  bool does_word_hold = false;         // and the word its address
  bool has_copy = false;               // another header points to what it holds
  std::uint64_t now = 0;               // what the word holds; 0: it could not be read
};

// The words alone. Errors of both: as AddressSpace::read.
Result<> check_words(AddressSpace &space, std::span<MapClaim> claims);
// Reads words first, and headers then, each kind in the order of addresses.
Result<> check_claims(AddressSpace &space, const HeapLayout &layout, std::span<MapClaim> claims);

// Programs let two words change places, as those of a cache that they fill and one that they read.
// So a map whose word no longer holds may have that of another one by now, where both words have
// one type: claims get such words. Returns of each claim whose witness is its own by then.
// `claims` are in the order of addresses.
std::vector<std::uint32_t> take_exchanged_words(std::span<MapClaim> claims,
                                                std::span<const MapWitness> witnesses);

// Which of these are copied, or copies: nothing but a word that has the type of a map tells.
// Errors: as AddressSpace::read.
Result<> check_copies(AddressSpace &space, const HeapLayout &layout,
                      std::span<const HeaderCopy> copies, std::span<MapClaim> claims);

// The type that words say which lead to one map.
struct SaidType {
  enum class Outcome : std::uint8_t {
    none,         // they say none that the program has, or only a shape
    exact,        // one, or names of one
    disagreement, // several, or one that the contents of the map rule out
  };
  Outcome outcome = Outcome::none;
  std::uint32_t type = 0; // index; of exact
};

// `first`: descriptor that the word of the shortest path has, 0: none; `others`: those of other
// words. `set`: what the map's own memory leaves; kUnknownTypes: it says nothing.
SaidType said_type(const TypeIndex &types, std::uint32_t set, std::uint64_t first,
                   std::span<const std::pair<std::uint32_t, std::uint64_t>> others);

// Whether both are map types of one key and one element: a named type and what it was made of.
bool is_alias(const TypeIndex &types, std::uint32_t one, std::uint32_t other);

} // namespace mapscope
