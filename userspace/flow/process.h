// Who a record is about. A pid is reused; a pid with the time its process started is not.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace mapscope {

struct ProcessKey {
  std::uint32_t pid = 0;           // as this process's own pid namespace numbers it
  std::uint64_t start_time_ns = 0; // since boot, from /proc/PID/stat
  friend auto operator<=>(ProcessKey, ProcessKey) = default;
};

} // namespace mapscope
