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
// `warnings` gets a sentence where the two disagree on a measured release. Empty: not known; so it
// is of a development version without DWARF, since the table has what was released.
RuntimeLayout find_layout(const GoBinary &binary, std::vector<std::string> &warnings);

// Whether the table has releases of the same minor version, and this is no development version,
// whose runtime may be any between two.
bool is_known_release(const GoBinary &binary);

} // namespace mapscope
