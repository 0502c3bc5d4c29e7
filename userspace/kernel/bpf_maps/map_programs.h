// Which programs use which maps, as the kernel lists them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct LoadedProgram {
  BpfMapProgram program;
  std::uint64_t loaded_boot_ns = 0; // CLOCK_BOOTTIME
  std::vector<std::uint32_t> map_ids;
};

struct LoadedPrograms {
  std::vector<LoadedProgram> programs; // by id
  std::uint64_t unreadable = 0;
};

// Errors: denied, system.
Result<LoadedPrograms> find_loaded_programs();

} // namespace mapscope
