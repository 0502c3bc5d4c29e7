// All that is known of one Go executable, as plain data.
#pragma once

#include "base/error.h"
#include "binary/go_binary.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Errors: malformed (a function that pclntab names is not in the file).
Result<BinaryFacts> read_facts(const GoBinary &binary);

} // namespace mapscope
