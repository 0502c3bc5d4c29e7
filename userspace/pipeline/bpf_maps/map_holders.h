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

// Of a map of that answer with its holders: the container or unit that they all share, else the one
// program that they all run. Without holders "pinned" where it, or a program that uses it, is, or
// "kernel" where only programs keep it that are attached. Empty: not known, or several.
std::string bpf_map_owner(const BpfMapFacts &map, const MapFactsAnswer &answer);

} // namespace mapscope
