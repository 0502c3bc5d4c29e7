// How rules name one of the kernel's maps, and what they say of its fill, its keys and its rates.
#pragma once

#include <map>
#include <string>

#include "flow/bpf_map.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

// Who it is, its numbers, and where its keys were written.
Telling bpf_telling(const BpfMapSample &map);

std::string bpf_fill_text(const BpfMapSample &map); // "91 % full: 910 of 1,000 entries, counted"
std::string full_in_text(const BpfTimeToFull &of);  // "in 8 min (5 min to 13 min)"
std::string when_full_text(const BpfMapFacts &map); // a sentence: what happens then
std::string bpf_keys_text(const BpfKeyDistribution &keys); // sentences with the hot keys

} // namespace mapscope
