// What to do about a map of the kernel.
#pragma once

#include <string>
#include <vector>

#include "flow/bpf_map.h"

namespace mapscope {

// Sentences, the most urgent first; none where nothing is the matter.
std::vector<std::string> advice_for(const BpfMapSample &map);

} // namespace mapscope
