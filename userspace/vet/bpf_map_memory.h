// What a declared map costs the kernel: its own arithmetic, from struct sizes of 64-bit Linux 6.12.
// An estimate: allocators round up, and releases differ by some bytes an entry.
#pragma once

#include <cstdint>
#include <optional>

#include "flow/bpf_object.h"

namespace mapscope {

struct BpfMapCost {
  std::uint64_t at_load_bytes = 0; // as soon as it is made, filled or not
  std::uint64_t full_bytes = 0;    // with max_entries in it
};

// With values for so many CPUs where the type is per CPU. Figures that don't fit become UINT64_MAX.
// Absent: the type is unknown, or its memory does not follow from what is declared.
std::optional<BpfMapCost> bpf_map_cost(const BpfDeclaredMap &map, std::uint32_t cpus);

// Whether it keeps a value for each CPU.
bool is_per_cpu(const BpfDeclaredMap &map);

// Whether all its entries are allocated when it is made, where it could be otherwise.
bool is_preallocated_hash(const BpfDeclaredMap &map);

} // namespace mapscope
