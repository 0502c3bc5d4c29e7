// The kernel's maps for people: a summary, a table, and one map in words.
#pragma once

#include <string>

#include "report/bpf_maps_report.h"

namespace mapscope {

std::string bpf_maps_text(const BpfMapsReport &report, bool colour);

// Its one row in full, with how each figure was come by.
std::string bpf_map_explanation_text(const BpfMapsReport &report, bool colour);

} // namespace mapscope
