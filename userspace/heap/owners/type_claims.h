// Whether an address is that of a type descriptor, asked of words that may be anything. Bytes that
// could be one are not enough: each part of a descriptor is held against what it refers to.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/go_types.h"

namespace mapscope {

// One that the linker made.
bool is_type_of_executable(const GoTypes &types, std::uint64_t descriptor);

// One that reflect made at run time; it is learned then, with the types that it refers to. Errors:
// as AddressSpace::read.
Result<bool> learn_made_type(AddressSpace &space, GoTypes &types, std::uint64_t descriptor);

// A struct that func values point to: an entry, and what was captured.
bool is_closure_struct(const TypeMemory &memory, std::uint64_t type);

// Whether the type is one of generic code, or made of such: its name says so.
bool names_shape(const TypeMemory &memory, std::uint64_t type);

// abi.Type.Hash; nothing where the descriptor is not known.
std::optional<std::uint32_t> type_hash(const TypeMemory &memory, std::uint64_t type);

} // namespace mapscope
