// When a map will be full: by a robust line through what was counted of late.
#pragma once

#include <cstdint>
#include <span>

#include "flow/bpf_map.h"

namespace mapscope {

struct CountAt {
  std::uint64_t time_ns = 0; // CLOCK_MONOTONIC
  double entries = 0;
};

// `counts` in the order of time. Theil-Sen slope with its interval, so that single jumps do not
// matter. Too few or too short: a note, and no figure.
BpfTimeToFull time_to_full(std::span<const CountAt> counts, std::uint64_t max_entries);

} // namespace mapscope
