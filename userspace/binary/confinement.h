// Takes from the calling process all it could do harm with, for good.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

struct Confinement {
  std::uint64_t memory_bytes = 0; // address space on top of what is mapped now
  std::uint64_t cpu_seconds = 0;  // of the whole rest of its life
};

// Afterwards the process computes, allocates and talks on `socket`; that is all. It has no
// other descriptor, no capability and no way to gain one; opening a file or asking about one is
// refused, any other system call ends it. It does not outlive the thread that forked it.
//
// One-way, and meant for the only thread of a freshly forked child.
Result<> confine_this_process(const Fd &socket, const Confinement &confinement);

} // namespace mapscope
