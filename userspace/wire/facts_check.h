// What facts of a binary must fulfil together before anybody acts on them: no value can say it of
// itself.
#pragma once

#include "base/error.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Errors: malformed (a place outside of what it must lie in).
Result<> check_facts(const BinaryFacts &facts);

} // namespace mapscope
