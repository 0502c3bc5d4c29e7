// What mapscope can see of a Go binary, for people: one screen.
#pragma once

#include <string>

#include "flow/binary_facts.h"

namespace mapscope {

// What it is, what can be seen, every probe point, and what stays unseen. Ends with a newline.
std::string inspect_text(const BinaryFacts &facts, bool colour);

// The map functions, one a line: address, size in bytes, name.
std::string inspect_functions_text(const BinaryFacts &facts);

} // namespace mapscope
