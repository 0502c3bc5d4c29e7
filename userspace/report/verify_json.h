// A verdict for programs: one JSON document, schema mapscope.verify/1 (docs/json.md).
#pragma once

#include <string>

#include "flow/verdict.h"

namespace mapscope {

// Indented, ends with a newline. What is not known is null. Bytes that are no UTF-8 (a path
// may hold any) come out as U+FFFD.
std::string verify_json(const Verdict &verdict);

} // namespace mapscope
