// Rules on what the kernel takes at all: flags, and sizes of keys, values and rings.
#pragma once

#include "vet/bpf_map_check.h"

namespace mapscope {

void check_bpf_flags(BpfMapCheck &check, const BpfMapTraits &traits);
void check_bpf_sizes(BpfMapCheck &check, const BpfMapTraits &traits);

} // namespace mapscope
