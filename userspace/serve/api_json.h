// The documents of the API; docs/api.md has their keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "flow/daemon_view.h"

namespace mapscope {

// Both clocks at one moment, so that times of one can be told in the other.
struct Now {
  std::uint64_t monotonic_ns = 0, wall_ns = 0;
};

std::string status_json(const DaemonView &view, Now now);
// `not_shown`: how many more there are.
std::string processes_json(std::span<const WatchedProcess> processes, std::size_t not_shown,
                           Now now);
std::string process_json(const WatchedProcess &process, Now now);
std::string findings_json(std::span<const Alert> alerts);

} // namespace mapscope
