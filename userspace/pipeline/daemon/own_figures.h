// What the daemon itself takes of the machine, as /proc tells it.
#pragma once

#include <cstdint>
#include <string>

namespace mapscope {

struct OwnFigures {
  std::uint64_t cpu_ns = 0; // user and system, of all threads
  std::uint64_t resident_bytes = 0, open_descriptors = 0, threads = 0;
};
OwnFigures own_figures();

// One for each boot of the host; empty: not known.
std::string boot_id();
std::string host_name();

} // namespace mapscope
