// What a run of `trace` adds up to, for programs: one JSON document, schema
// mapscope.trace_summary/1 (docs/json.md).
#pragma once

#include <string>

#include "flow/trace_summary.h"

namespace mapscope {

// Indented, ends with a newline. What is not known is null.
std::string trace_summary_json(const TraceSummary &summary);

} // namespace mapscope
