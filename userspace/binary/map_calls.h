// Which map type the code passes in one of its calls of the runtime.
#pragma once

#include <optional>

#include "base/address.h"
#include "binary/go_binary.h"

namespace mapscope {

// The address that the call in front of `return_address` passes as the map type: its descriptor,
// unless the code is hostile. Nothing where that is no call of a map function that takes a type
// first, and where the type is no constant of the code (generic code, reflect).
//
// The compiler loads it right before: lea type(%rip),%rax ... call runtime.mapassign_faststr.
// Go source: cmd/compile/internal/walk and ssagen; register ABI of cmd/compile/abi-internal.md.
std::optional<ElfAddress> map_type_passed_at(const GoBinary &binary, ElfAddress return_address);

} // namespace mapscope
