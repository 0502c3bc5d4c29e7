// Which capabilities remain once the programs are loaded and the probes placed.
#pragma once

#include "base/error.h"

namespace mapscope {

// Drops all but what a running tracer still needs: to place probes in an image that the
// target executes later (CAP_BPF, CAP_PERFMON), and to look at processes of other users
// (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH). A process without capabilities keeps none.
Result<> keep_tracing_privileges();

// The same of the calling thread, and what looking at the kernel's own maps takes: CAP_SYS_ADMIN,
// which bpf(2) wants of who asks for ids, and CAP_SYSLOG, without which /proc/kallsyms hides what
// programs call.
Result<> keep_bpf_map_privileges();

} // namespace mapscope
