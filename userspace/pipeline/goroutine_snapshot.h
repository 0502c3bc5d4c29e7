// The goroutines of a process that has just reported a misuse of a map, while it still lives.
#pragma once

#include "base/clock.h"
#include "memory/goroutines.h"
#include "memory/live_process.h"

namespace mapscope {

// `index`: of the target, for who analyses it. Errors: those of LiveProcess::open() (the process
// has ended already, most of the time) and of read_goroutines().
inline Result<GoroutineSnapshot> snapshot_goroutines(ProcessKey process, const BinaryFacts &facts,
                                                     LoadBias bias, std::uint32_t index) {
  auto memory = TRY(LiveProcess::open(process));
  GoroutineSnapshot snapshot = TRY(read_goroutines(*memory, facts, bias));
  snapshot.index = index;
  snapshot.time_ns = now_ns();
  return snapshot;
}

} // namespace mapscope
