// Which map type the code passes in one of its calls of the runtime.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_set>

#include "base/address.h"
#include "binary/instruction_decoder.h"
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

// The address that a function's code leaves in the register of the first argument at the call in
// front of `return_address`: by the last full write to it, where only straight code lies between.
// Nothing where that was no address in the code, and where another path may lead in between:
// `joins` are places that code jumps to besides those that the instructions themselves name.
// `instructions` are all of the function.
std::optional<ElfAddress> first_argument_at(std::span<const Instruction> instructions,
                                            ElfAddress return_address,
                                            std::unordered_set<std::uint64_t> joins);

} // namespace mapscope
