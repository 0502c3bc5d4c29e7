// The number under which the kernel's first pid namespace, and so every BPF program, knows
// a process that this one knows by its own namespace's number.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/error.h"

struct bpf_program;

namespace mapscope {

// True when both numbers are the same for every process.
bool in_initial_pid_namespace();

// Runs the process_ids iterator. Errc::gone when no process of this namespace has that pid.
Result<std::uint32_t> initial_tgid(const bpf_program *process_ids, pid_t pid);

// The inode number of this process's pid namespace.
Result<std::uint32_t> own_pid_namespace();

} // namespace mapscope
