// Arithmetic on the kernel side's counters.
#pragma once

#include <cstdint>

#include "bpf/contract/targets.h"

namespace mapscope {

target_counts sum_of(const target_counts &left, const target_counts &right);

// How often probes of map functions and of the heap were hit.
std::uint64_t hits_of(const target_counts &counts);

} // namespace mapscope
