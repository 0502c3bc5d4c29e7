// What the words of a process say of types themselves: type words and itabs of interfaces, the code
// of closures, dictionaries of generic functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/program_roots.h"
#include "heap/go_types.h"
#include "heap/heap_layout.h"
#include "heap/owners/dictionary_types.h"
#include "heap/owners/pointer_bits.h"
#include "heap/span_table.h"

namespace mapscope {

// Whether a value of this type lies in the interface itself: pointers, maps, channels, funcs, and
// structs and arrays of one of them (abi.TFlagDirectIface from 1.26, kind bit 5 before).
struct DynamicType {
  std::uint64_t descriptor = 0; // 0: no type
  bool is_direct = false;
};

class DynamicTypes {
public:
  // All outlive it. `roots` may be null: then no closure is known.
  DynamicTypes(AddressSpace &space, GoTypes types, const HeapLayout &layout, const SpanTable &spans,
               const ProgramRoots *roots, LoadBias bias);

  const GoTypes &types() const { return types_; }
  GoTypes &types() { return types_; }

  // Of the first word of an interface: a descriptor (empty interfaces), or an itab. Answers are
  // remembered; itabs are read as they come. Where it is not told which of the two it is, the word
  // itself has to say. Errors: as AddressSpace::read.
  Result<DynamicType> of_interface(std::uint64_t word, std::optional<bool> is_empty);

  // The struct of the closure whose func value points to memory that begins with this word; 0: the
  // word is no entry of a closure, or the function captures nothing.
  std::uint64_t closure_type(std::uint64_t entry) const;

  // The real map type behind `shape`, a map type of generic code, as the dictionary at this address
  // names it; 0: it does not, or names several that fit. `words`: the dictionary's length, of its
  // type. Answers are remembered. Errors: as AddressSpace::read.
  Result<std::uint64_t> map_type_in_dictionary(std::uint64_t dictionary, std::uint64_t words,
                                               std::uint64_t shape);
  // Whether the type's name is that of generic code ("go.shape").
  bool is_shape(std::uint64_t type) const;

private:
  // What a word is, whatever it was asked for as.
  struct Word {
    enum class Kind : std::uint8_t { none, descriptor, itab };
    DynamicType type;
    Kind kind = Kind::none;
  };
  Result<Word> look_at(std::uint64_t word, std::optional<bool> is_empty);
  Result<std::uint64_t> type_of_itab(std::uint64_t itab);
  Result<bool> are_functions(std::uint64_t address, std::uint64_t count);
  Result<bool> read_constant(std::uint64_t address, std::span<std::byte> into);
  // Whether a type of the executable, or one that reflect made and that is read then, begins there.
  Result<bool> is_type(std::uint64_t descriptor);
  bool is_in_heap(std::uint64_t address) const;

  AddressSpace &space_;
  GoTypes types_;
  const SpanTable &spans_;
  DictionaryTypes dictionaries_;
  std::unordered_map<std::uint64_t, Word> words_;
  std::unordered_map<std::uint64_t, std::uint64_t> closures_; // types by entry
};

} // namespace mapscope
