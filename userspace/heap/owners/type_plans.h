// What the walk does with a value of a type: which of its words lead somewhere, and to what. Made
// once for each type that is met, and known by number, since objects of one type are many.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/heap_layout.h"
#include "heap/owners/dynamic_types.h"

namespace mapscope {

enum class WordKind : std::uint8_t {
  pointer,
  slice,
  interface,       // with methods: its first word is an itab
  empty_interface, // its first word is a type
  map,
  channel,
  function,
  unsafe_pointer,
  opaque,      // to what has no pointers by its type; the object that it lies in may have some
  next_bucket, // of a classic bucket with pointers: its last word
};

struct WordAction {
  std::uint32_t offset = 0;
  std::uint32_t pattern_offset = 0; // the same for all elements of an array
  WordKind kind = WordKind::pointer;
  std::uint32_t plan = 0; // of what it leads to; 0: not made yet, or of no type
  std::uint64_t type = 0; // the same, as a descriptor; of a map, the map type
};

// What a plan is for. Values have types of their own; the parts of maps and channels are laid out
// by the runtime, and what belongs to the program in them hangs on another type.
enum class PlanRole : std::uint8_t {
  value,
  map_header, // of the map type
  directory,  // of a swiss map of that type: pointers to tables
  table,      // of a swiss map of that type
  channel,    // of elements of the type
  pointer_to, // pointers to values of the type, whose own type is not known
  slice_of,   // slices of values of the type, the same
  closure,    // what a func value points to; what it is, its first word tells. Its type here is the
              // entry of the function, where that is known
};

struct TypePlan {
  std::uint64_t type = 0;
  PlanRole role = PlanRole::value;
  bool is_valid = false; // else nothing is known of it, or there is nothing to follow
  bool is_shape = false; // of generic code: it stands for others
  std::uint64_t size_bytes = 0;
  std::uint64_t pointer_mask = 0;  // bit i: word i is a pointer; where the size is at most 512
  std::vector<WordAction> actions; // in the order of offsets
  // Of a long array: values of plan `element`, so many of them.
  std::uint64_t repeat = 1;
  // Of arrays, map parts (their group or bucket) and channels; 0: none, or nothing to follow there.
  std::uint32_t element = 0;
  // Where a closure of generic code holds its dictionary, and how long that is; 0 words: it has
  // none.
  std::uint32_t dictionary_offset = 0;
  std::uint64_t dictionary_words = 0;
};

class TypePlans {
public:
  static constexpr std::uint32_t kUntyped = 0; // the plan of no type, never valid

  // All outlive it.
  TypePlans(AddressSpace &space, const HeapLayout &layout, DynamicTypes &types)
      : space_(space), layout_(layout), types_(types), plans_(1) {}

  // The number of a plan, which may be invalid. Types that reflect made are read as they come.
  // Errors: as AddressSpace::read.
  Result<std::uint32_t> number_of(std::uint64_t type, PlanRole role = PlanRole::value);
  // What a word of that action leads to.
  Result<std::uint32_t> target_of(WordAction &action);

  TypePlan &operator[](std::uint32_t number) { return plans_[number]; }
  const TypePlan &operator[](std::uint32_t number) const { return plans_[number]; }

private:
  Result<> fill(TypePlan &plan);
  Result<> fill_value(TypePlan &plan);
  Result<> fill_map(TypePlan &plan);
  void add_action(TypePlan &plan, const TypeLeaf &leaf);
  void find_dictionary(TypePlan &plan);

  AddressSpace &space_;
  const HeapLayout &layout_;
  DynamicTypes &types_;
  std::deque<TypePlan> plans_; // does not move what it holds
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
  std::uint64_t action_count_ = 0, learn_count_ = 0;
  unsigned depth_ = 0;
};

} // namespace mapscope
