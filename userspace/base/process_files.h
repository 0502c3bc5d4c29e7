// The small files of /proc/PID, read whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/error.h"

namespace mapscope {

// The text of /proc/PID/NAME. Errors: gone (no such process), denied, malformed (longer than
// `bytes_max`).
Result<std::string> read_process_file(pid_t pid, std::string_view name,
                                      std::size_t bytes_max = 64 << 10);

struct ProcessStat {
  char state = '?';                // 'Z': ended, and nobody has asked for its status yet
  std::uint64_t start_time_ns = 0; // since boot, in steps of the kernel's clock tick
  // Where the first thread's stack begins, at random with every exec; 0 where that is denied.
  std::uint64_t stack_start = 0;
};

// What /proc/PID/stat says (proc(5)). Errors: gone, malformed.
Result<ProcessStat> read_process_stat(pid_t pid);
Result<ProcessStat> parse_process_stat(const std::string &text, pid_t pid);

} // namespace mapscope
