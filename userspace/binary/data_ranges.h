// The variables of a Go program that the collector looks through for pointers.
#pragma once

#include <vector>

#include "base/error.h"
#include "binary/go_binary.h"
#include "flow/program_roots.h"

namespace mapscope {

// .data and .bss of Go, which are parts of the sections of these names where C is linked in; each
// with the field of the module data that will have its bitmap. Those that are empty are left out.
// Errors: as ElfFile::read_data, and malformed where they make no sense.
Result<std::vector<MaskedData>> read_masked_data(const GoBinary &binary);

} // namespace mapscope
