// The CPU time of another process: what budgets of probes are counted in.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "base/clock.h"
#include "base/error.h"

namespace mapscope {

// All threads of it, those that have ended included.
class CpuClock {
public:
  static Result<CpuClock> of(pid_t pid) {
    clockid_t clock{};
    if (int error_number = ::clock_getcpuclockid(pid, &clock); error_number != 0)
      return std::unexpected(Error::from_errno(
          fmt::format("asking for the CPU time of process {}", pid), error_number));
    return CpuClock{clock, mapscope::now_ns(clock)};
  }
  std::uint64_t since_start_ns() const {
    // A process that has ended has used none.
    return std::max(mapscope::now_ns(clock_), start_ns_) - start_ns_;
  }

private:
  CpuClock(clockid_t clock, std::uint64_t start_ns) : clock_(clock), start_ns_(start_ns) {}
  clockid_t clock_;
  std::uint64_t start_ns_;
};

} // namespace mapscope
