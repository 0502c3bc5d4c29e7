// The kernel's maps for machines: docs/json.md.
#pragma once

#include <string>

#include "report/bpf_maps_report.h"

namespace mapscope {

// One line, schema mapscope.bpf_maps/1.
std::string bpf_maps_json(const BpfMapsReport &report);

// Its one row, schema mapscope.bpf_map/1.
std::string bpf_map_explanation_json(const BpfMapsReport &report);

} // namespace mapscope
