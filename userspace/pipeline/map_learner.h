// Probes on the runtime's writes to maps, placed for moments only, again and again for a while.
#pragma once

#include <chrono>

#include <sys/types.h>

#include "attach/governor.h"
#include "base/error.h"
#include "flow/learned_map.h"
#include "kernel/uprobes.h"

namespace mapscope {

struct LearnLimits {
  ProbeBudget budget;
  FlashLimits flash;
  // One probe at a time, each function in turn: where taking off a probe takes as long as watching.
  bool one_by_one = !has_uprobe_multi();
  std::size_t writes_max = 1 << 20; // different ones; about 100 bytes each
};

// Takes as long as `duration`, or less where the target ends, executes another program, or a signal
// stops us (SIGINT, SIGTERM). No probe is left when this returns. The target runs at most a
// twentieth slower meanwhile; what that allows is measured as it goes. Errors: gone, denied (needs
// BPF), unsupported (no probe points, or a kernel without uprobes for it).
Result<LearnedWrites> learn_writes(pid_t pid, std::chrono::milliseconds duration,
                                   const LearnLimits &limits = {});

} // namespace mapscope
