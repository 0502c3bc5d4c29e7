// The kernel's own maps in the metrics: those with the most memory and the fullest have rows of
// their own, the rest is added up.
#pragma once

#include <cstddef>

#include "flow/bpf_map.h"
#include "serve/metrics_writer.h"

namespace mapscope {

// `maps_max`: so many by memory, and so many by fill.
void write_bpf_maps(MetricsWriter &out, const BpfMapsLook &look, std::size_t maps_max);

} // namespace mapscope
