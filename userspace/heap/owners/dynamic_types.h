// What the words of a process say of types themselves: type words and itabs of interfaces, the code
// of closures, dictionaries of generic functions, malloc headers. And which words of an object the
// collector takes for pointers, against which every claim of a type is held.
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
  AddressSpace &space_;
  GoTypes types_;
  const HeapLayout &layout_;
  const SpanTable &spans_;
  std::unordered_map<std::uint64_t, DynamicType> interfaces_;        // by word
  std::unordered_map<std::uint64_t, std::uint64_t> closures_;        // by entry
  std::unordered_map<std::uint64_t, std::uint64_t> dictionary_maps_; // by dictionary and shape
};

// The heap bitmaps of objects up to 512 bytes, read in bulk for a round of the walk.
class PointerBits {
public:
  PointerBits(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans);

  // Reads what the objects need (each lies in a span with pointers). Forgets what was read before.
  // Errors: as AddressSpace::read.
  Result<> read(std::span<const HeapObject> objects);

  // Bit i: word i of the object is a pointer. Nothing: the heap does not say (objects above 512
  // bytes from Go 1.22 on), or it was not read.
  std::optional<std::uint64_t> of(const HeapObject &object) const;

private:
  AddressSpace &space_;
  const HeapLayout &layout_;
  const SpanTable &spans_;
  std::unordered_map<std::uint64_t, std::uint64_t> bits_; // by start of the object
};

} // namespace mapscope
