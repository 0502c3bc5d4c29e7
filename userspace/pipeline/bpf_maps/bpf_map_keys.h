// Which keys a map is asked for, or holds, as a distribution.
#pragma once

#include <optional>

#include "flow/bpf_map.h"
#include "pipeline/bpf_maps/bpf_map_rates.h"

namespace mapscope {

// Of the keys that were looked up, else of a part of those that the map holds. Nothing: neither
// can be read.
std::optional<BpfKeyDistribution> distribution_of_keys(const BpfMapFacts &map,
                                                       const LookedUpKeys &looked_up);

} // namespace mapscope
