// `mapscope bpf-maps --keys ID`: the keys of one map, a page of them in memory at a time.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

struct PrintKeysOptions {
  std::uint32_t id = 0;
  std::uint64_t limit = 0; // 0: all
  bool with_values = false, json = false;
};

// Errors: not_found (no such map), as read_keys(), and those of the output.
Result<> print_bpf_map_keys(const PrintKeysOptions &options, const Fd &output);

} // namespace mapscope
