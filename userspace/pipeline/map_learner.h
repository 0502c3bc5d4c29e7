// Probes on the runtime's writes to maps, placed for moments only, again and again for a while.
#pragma once

#include <chrono>

#include <sys/types.h>

#include "base/error.h"
#include "flow/learned_map.h"

namespace mapscope {

// Takes as long as `duration`, or less where the target ends. The target runs at most a twentieth
// slower meanwhile; what that allows is measured as it goes. Errors: gone, denied (needs BPF),
// unsupported (no probe points, or a kernel without uprobes for it).
Result<LearnedWrites> learn_writes(pid_t pid, std::chrono::milliseconds duration);

} // namespace mapscope
