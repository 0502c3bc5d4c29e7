// The options that say which trace events are told, and how: the same for a live trace and for a
// replayed one.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "judge/trace_filter.h"
#include "pipeline/trace_output.h"

namespace CLI {
class App;
}

namespace mapscope {

struct TraceOptions {
  TraceFilterText filter;
  bool stack = false, summary = false, with_summary = false, json = false;
  std::string format = "text";
  std::string time = "start";
  std::string output;
};

// `options` outlives `command`.
void add_trace_options(CLI::App &command, TraceOptions &options);

// Checked; `file` is where the output will go, since colour depends on it. Errors: usage.
Result<TraceOutputOptions> trace_output_options(const TraceOptions &options, const Fd &file);

} // namespace mapscope
