// Whom each map of the kernel belongs to: turns pids into processes as people know them, and these
// into an owner.
#pragma once

#include "attach/identity.h"
#include "flow/bpf_map.h"
#include "kernel/bpf_maps/map_facts.h"

namespace mapscope {

// Fills `holders`, `owner` and `is_own` of every map of the answer. Processes that ended meanwhile
// hold nothing any more.
void name_bpf_map_holders(MapFactsAnswer &answer, UserNames &users);

// The container or unit that all holders share, else the one program that they all run; without
// holders "pinned" or "kernel", where that is what keeps the map. Empty: not known, or several.
std::string bpf_map_owner(const BpfMapFacts &map, bool knows_holders);

} // namespace mapscope
