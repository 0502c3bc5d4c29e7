// Which part of a program's text is the runtime's, and which part handles maps: what the
// kernel compares the addresses on a stack with.
#pragma once

#include <vector>

#include "binary/go_binary.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Text without the C code that the linker puts in front of it where it links that itself, as it
// does with the race detector: no function of it has a source file.
ElfRange find_go_text(const GoBinary &binary);

// The runtime and the packages below it, which the linker puts first: from the start of Go text
// through their last function before the first of anyone else. What other packages only
// declare (reflect.makemap) counts as the runtime's, since its body is there.
ElfRange find_runtime_text(const GoBinary &binary);

// Experiments and vendors change versions, so what counts is what was linked.
MapImplementation find_map_implementation(const GoBinary &binary);

// Every function that creates, grows, clears, copies, writes or deletes, in address order.
std::vector<FunctionRange> find_map_functions(const GoBinary &binary);

// Those merged where at most 16 KiB lie between two, and then the closest ones until
// `count_max` ranges are left. `functions` in address order.
std::vector<ElfRange> merge_ranges(const std::vector<FunctionRange> &functions,
                                   std::size_t count_max);

} // namespace mapscope
