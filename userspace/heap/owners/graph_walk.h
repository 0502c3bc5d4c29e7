// The walk itself: from typed and untyped values to the objects that they point to, breadth first,
// so that the shortest path wins, and in rounds, so that memory is read in bulk.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/map_owner.h"
#include "heap/go_types.h"
#include "heap/heap_layout.h"
#include "heap/owners/dynamic_types.h"
#include "heap/owners/owner_patterns.h"
#include "heap/span_table.h"

namespace mapscope {

// What the type of a root is that of.
enum class RootForm : std::uint8_t {
  value,
  pointer, // what it points to
  slice,   // its elements
};

// Values to begin with, at an address outside of the heap or in it.
struct GraphRoot {
  std::uint64_t address = 0;
  std::uint64_t type = 0; // descriptor; 0: a word that the collector takes for a pointer
  RootForm form = RootForm::value;
  std::uint64_t count = 1;   // values of that type
  std::uint32_t pattern = 0; // OwnerPatterns::root()
  // Words of stacks and masked data have been read already: followed if `has_value`.
  std::uint64_t value = 0;
  bool has_value = false;
  // Of an untyped word that the collector follows, the word in front of it, if it does not follow
  // that one: an interface has its type there. 0: nothing is there, or it is not known.
  std::uint64_t before = 0;
};

// How a map was reached.
struct MapWitness {
  std::uint64_t word = 0;    // where the pointer lies; 0: not reached
  std::uint64_t type = 0;    // descriptor of the static map type of that word; 0: untyped
  std::uint32_t pattern = 0; // of the map itself
  std::uint32_t turn = 0;    // which of the calls of follow() found the word
};

struct WalkLimits {
  std::uint64_t memory_bytes_max = 256 << 20;
  std::chrono::milliseconds cpu_max{30'000};
  std::uint64_t objects_max = 20'000'000;
  std::uint64_t words_max = 200'000'000;
};

class GraphWalk {
public:
  // `data`: the program's variables, which pointers may lead to as well. `maps`: addresses of
  // headers on the heap, ascending, each only once. All references outlive the walk, and `spans`
  // does not change.
  GraphWalk(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
            std::span<const ProcessRange> data, DynamicTypes &types, OwnerPatterns &patterns,
            std::span<const std::uint64_t> maps, const WalkLimits &limits);
  ~GraphWalk();

  // Follows these roots to the end, before the next ones: who comes first owns. Words of typed
  // roots are read here. When a budget is spent, does nothing more and counts().stopped_by says so.
  // Errors: as AddressSpace::read.
  Result<> follow(std::span<const GraphRoot> roots);
  // All that the collector would follow besides, in objects that were reached: it keeps an object
  // whole for a pointer to any part of it, and whatever the type of that pointer. For after all
  // roots, so that what is not reached then is garbage.
  Result<> follow_rest();

  // Of each of `maps`: the first typed word that led to it, or else the first untyped one.
  std::span<const MapWitness> witnesses() const;
  // Map types other than the witness's that words had which lead to a map: (index of map,
  // descriptor), each pair once, bounded.
  std::span<const std::pair<std::uint32_t, std::uint64_t>> other_types() const;

  // The word that led to the object which `address` lies in; 0: not reached. Its chain ends in a
  // root: where no object of the heap holds the word.
  std::uint64_t word_to(std::uint64_t address) const;
  // The pattern that the object was reached by; 0: not reached.
  std::uint32_t pattern_of(std::uint64_t address) const;

  // Of each of these words: whether the objects that it lies in are still reached by the words that
  // the walk came by, as far as they lie in the heap or in variables. A free object that became
  // another one of the same shape is told by this alone. Errors: as AddressSpace::read.
  Result<std::vector<bool>> still_hold(std::span<const std::uint64_t> words) const;

  const OwnerCounts &counts() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mapscope
