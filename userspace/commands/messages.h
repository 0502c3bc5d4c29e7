// What a command says to people beside its report: always on standard error.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "commands/exit_status.h"

namespace mapscope {

inline void say(const std::string &sentence) { fmt::print(stderr, "mapscope: {}\n", sentence); }

// Says what went wrong and gives the status to exit with.
// `needs`: what helps where it was not permitted.
inline int fail_with(const Error &error,
                     std::string_view needs =
                         "root, or the capabilities CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and "
                         "CAP_DAC_READ_SEARCH; `mapscope doctor` tells which are missing") {
  say(error.message());
  if (error.code() == Errc::denied)
    say(fmt::format("this needs {}", needs));
  return as_int(exit_status_of(error.code()));
}

} // namespace mapscope
