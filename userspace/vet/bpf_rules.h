// Judges the maps that a BPF object declares. Pure: facts and options go in, findings come out.
#pragma once

#include <vector>

#include "flow/bpf_object.h"
#include "flow/vet_finding.h"
#include "vet/vet_options.h"

namespace mapscope {

// In the order of the maps. Without the rules that options disable, and without those that a map
// allows itself by a tag, __attribute__((btf_decl_tag("mapscope:allow=RULE"))).
std::vector<VetFinding> vet_bpf_object(const BpfObjectFacts &object, const VetOptions &options);

} // namespace mapscope
