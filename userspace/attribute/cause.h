// Why a file call can happen inside a map operation at all. Map code does no I/O; the known
// ways are what the runtime prints from inside the allocator, and C code under cgo.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "flow/source.h"

namespace mapscope {

// A sentence, or nothing where the stack shows no known cause. `above` are the frames
// between the call and the innermost map function, innermost first; `from_c`: the call was
// made by code that is not Go.
std::optional<std::string> known_cause(std::span<const SourceFrames> above, bool from_c);

} // namespace mapscope
