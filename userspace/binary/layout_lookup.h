// The layout of one binary's runtime, from the best source there is for it.
#pragma once

#include <string>
#include <vector>

#include "binary/go_binary.h"
#include "flow/binary_facts.h"

namespace mapscope {

// DWARF where the binary has it, since the toolchain may be a changed one; it goes over what
// the table knows of the same or the nearest release, which stays for types that the DWARF
// lacks. The table alone where this release was measured and the DWARF is too much to read at
// start-up: more than 3 MiB as it lies in the file.
//
// `warnings` gets a sentence where the two disagree on a measured release, and where the
// layout is not known.
RuntimeLayout find_layout(const GoBinary &binary, std::vector<std::string> &warnings);

} // namespace mapscope
