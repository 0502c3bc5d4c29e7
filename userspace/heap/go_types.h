// Type descriptors, read from the memory of a process: as the linker wrote them, and as reflect
// made them later. Nothing of a descriptor is believed that another part of it contradicts.
//
// Go source: runtime/type.go (until 1.20), internal/abi/type.go, map_noswiss.go, map_swiss.go and
// map.go there (1.21 on).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_type_layout.h"
#include "go/type_descriptor.h"
#include "heap/type_leaves.h"
#include "heap/type_memory.h"

namespace mapscope {

// A handle: copies share what was read.
class GoTypes {
public:
  // Reads the descriptors of the executable once, some megabytes. Errors: unsupported (no such
  // range, or too large), as AddressSpace::read.
  static Result<GoTypes> read(AddressSpace &space, ProcessRange types, const BinaryFacts &facts);

  // Every map type there, in the order of addresses, those of generic shapes included (is_shape).
  std::vector<MapTypeLayout> map_types() const;

  std::optional<MapTypeLayout> map_type(ProcessAddress descriptor) const;
  // A type as a key or element has it: name, fields, padding.
  std::optional<GoType> type(ProcessAddress descriptor) const;

  // Where a value of this type holds pointers, strings and the like. Nothing where the type makes
  // no sense or has more than `count_max` of them.
  std::optional<std::vector<TypeLeaf>> leaves(ProcessAddress descriptor,
                                              std::size_t count_max = 65536) const;
  // One flag for each word of a value: whether the collector takes it for a pointer, as the heap
  // bitmap has it. Walks the fields, since descriptors do not always hold the mask (1.24 on makes
  // it on demand).
  std::optional<std::vector<bool>> pointer_words(ProcessAddress descriptor) const;

  // Reads a descriptor outside of the executable's types, and what it refers to there: reflect
  // makes types at run time. map_type() and the others know it from then on. False: there is
  // nothing that could be a type. Errors: as AddressSpace::read.
  Result<bool> learn(AddressSpace &space, ProcessAddress descriptor);

  const TypeMemory &memory() const { return *memory_; }

private:
  struct Budget;

  explicit GoTypes(TypeMemory memory, std::optional<MapTypeShape> shape)
      : memory_(std::make_shared<TypeMemory>(std::move(memory))), shape_(shape) {}

  std::optional<MapTypeLayout> map_type(std::uint64_t descriptor, Budget &budget) const;
  bool place_entries(MapTypeLayout &layout, std::span<const std::byte> descriptor) const;
  std::optional<GoType> type(std::uint64_t descriptor, Budget &budget) const;
  bool add_fields(GoType &type, std::uint64_t descriptor, const TypeHeader &header,
                  Budget &budget) const;
  bool is_made_struct(std::uint64_t type) const;
  Result<bool> learn_bytes(AddressSpace &space, std::uint64_t address, std::uint64_t size_bytes);
  Result<> learn_fields(AddressSpace &space, std::uint64_t descriptor,
                        std::vector<std::uint64_t> &types);
  std::string name_of(const TypeHeader &header, std::uint64_t descriptor) const;

  std::shared_ptr<TypeMemory> memory_;
  std::optional<MapTypeShape> shape_;
};

} // namespace mapscope
