// What the kernel would tell of a map that a test has made, without asking it.
#pragma once

#include "flow/bpf_map.h"
#include "support/every_bpf_map.h"

namespace mapscope::testing {

inline BpfMapFacts facts_of(const MadeBpfMap &map) {
  BpfMapFacts facts;
  facts.id = map.id;
  facts.name = map.name;
  facts.type = map.type;
  facts.type_number = map.type_number;
  facts.key_bytes = map.key_bytes;
  facts.value_bytes = map.value_bytes;
  facts.max_entries = map.max_entries;
  facts.flags = map.flags;
  return facts;
}

} // namespace mapscope::testing
