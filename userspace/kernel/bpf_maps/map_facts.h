// What every map of the kernel is, whom it belongs to and who uses it: through bpf(2), descriptors
// of other processes and the BPF file systems.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct MapFactsOptions {
  bool with_holders = true; // goes through the descriptors of all processes
};

struct MapFactsAnswer {
  std::vector<BpfMapFacts> maps; // by id
  std::uint64_t vanished = 0;
  std::vector<std::string> problems; // "no holders: ...", a sentence each
};

// Errors: denied (bpf(2) wants CAP_SYS_ADMIN for ids), system.
Result<MapFactsAnswer> find_bpf_maps(const MapFactsOptions &options = {});

// A descriptor of the map of that id, for reading only where the kernel allows it. Errors:
// not_found (it is gone), denied, system.
Result<Fd> open_bpf_map(std::uint32_t id);

} // namespace mapscope
