// What a live and a replayed `trace` end with.
#pragma once

#include "commands/exit_status.h"
#include "pipeline/trace_output.h"

namespace mapscope {

// A misuse was found, whatever else was lost.
inline ExitStatus status_of(const TraceOutput &output) {
  if (output.saw_misuse())
    return ExitStatus::found;
  return output.lost_events() ? ExitStatus::could_not_tell : ExitStatus::done;
}

} // namespace mapscope
