// Puts together what DWARF, symbols and code of an executable tell of its roots.
#pragma once

#include "base/error.h"
#include "binary/go_binary.h"
#include "flow/program_roots.h"

namespace mapscope {

// What can't be read is left out, with a warning. Errors: malformed (it has no types, or no
// variables).
Result<ProgramRoots> read_roots(const GoBinary &binary);

} // namespace mapscope
