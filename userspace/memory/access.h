// Why the kernel does not let one process look at another, and what helps.
#pragma once

#include <string_view>

#include <sys/types.h>

#include "base/error.h"

namespace mapscope {

// Adds to a failure, if it is one of rights, what is missing: `operation` in front, what to do
// behind. CAP_SYS_PTRACE lets read memory and mappings; page maps of other users' processes are
// files of theirs, and need CAP_DAC_READ_SEARCH besides.
enum class Access { memory, page_map };
Error access_error(Error error, pid_t pid, Access access);

} // namespace mapscope
