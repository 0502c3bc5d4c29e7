// Which map type the code passes in one of its calls of the runtime.
#pragma once

#include <optional>

#include "base/address.h"
#include "binary/map_types.h"

namespace mapscope {

// The map type that the call in front of `return_address` passes. Nothing where that is no call of
// a map function that takes a type first, and where the type is no constant of the code: reflect
// has it from its caller, generic code from a dictionary, or knows its shape only.
//
// The compiler loads the type's address right before: lea type(%rip),%rax ... call
// runtime.mapassign_faststr. Go source: cmd/compile/internal/walk and ssagen, and
// cmd/compile/abi-internal.md.
std::optional<MapType> map_type_at_call(const GoBinary &binary, const MapTypeReader &types,
                                        ElfAddress return_address);

} // namespace mapscope
