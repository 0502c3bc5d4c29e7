// The options of `bpf-maps`, and what they ask for once they are checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/bpf_maps/bpf_map_selection.h"
#include "pipeline/bpf_maps/bpf_map_watch.h"

namespace CLI {
class App;
}

namespace mapscope {

// As the command line has them.
struct BpfMapsOptions {
  std::string sort = "fill", name, rates, budget = "100ms", output;
  std::vector<std::string> types;
  std::size_t top = 20;
  std::optional<std::uint32_t> keys, explain; // ids
  std::uint64_t limit = 1'000;
  bool json = false, own = false, values = false, wants_rates = false;
  double watch_seconds = 0;
};

struct BpfMapsRequest {
  BpfMapSelection selection;
  BpfLookOptions look;
  std::chrono::milliseconds pause{}; // 0: one look
};

void add_bpf_maps_options(CLI::App &command, BpfMapsOptions &options);

// Errors: usage, with a sentence that names the option.
Result<BpfMapsRequest> bpf_maps_request_of(const BpfMapsOptions &options);

} // namespace mapscope
