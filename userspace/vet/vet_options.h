// What a user can choose of the judging of `mapscope vet`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mapscope {

struct VetOptions {
  std::uint64_t max_bytes = 1ULL << 30; // one map; a quarter of it is worth a warning
  std::uint32_t cpus = 128;             // of the host that per-CPU maps are judged for
  std::vector<std::string> disabled;    // rules that are not told
};

} // namespace mapscope
