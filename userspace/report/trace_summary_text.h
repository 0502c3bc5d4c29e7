// What a run of `trace` adds up to, for people: a table like that of `strace -c`, the lines to fix,
// and what was lost.
#pragma once

#include <string>

#include "flow/trace_summary.h"

namespace mapscope {

// Ends with a newline. `colour`: with escape sequences, see report/terminal.h.
std::string trace_summary_text(const TraceSummary &summary, bool colour);

// "1,234 records, 0 lost", with the names of what was lost and of what could not be told: for the
// end of a trace without summary too. One line, without a newline.
std::string trace_losses_text(const TraceEnd &end);

} // namespace mapscope
