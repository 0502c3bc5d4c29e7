// How near a process is to the memory limits of its cgroup and of its own runtime.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "flow/process_sample.h"
#include "flow/rule_input.h"

namespace mapscope {

class MemoryLimitReader {
public:
  // Where they are mounted; others are for tests.
  explicit MemoryLimitReader(std::string proc = "/proc", std::string cgroups = "/sys/fs/cgroup")
      : proc_(std::move(proc)), cgroups_(std::move(cgroups)) {}

  // What can't be read is absent: a cgroup file system that is not mounted here, or that is a
  // container's, is no failure. Errors: gone.
  Result<MemoryLimits> read(pid_t pid, const HeapStatistics &heap) const;

private:
  void read_cgroups(pid_t pid, MemoryLimits &limits) const;

  std::string proc_, cgroups_;
};

// How full the fuller one is: 1 is at the limit. 0: no limit is known.
double share_of_limit(const MemoryLimits &limits);

} // namespace mapscope
