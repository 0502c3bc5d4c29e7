// What every map of the kernel is, whom it belongs to and who uses it: through bpf(2), descriptors
// of other processes and the BPF file systems.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/bpf_map.h"
#include "flow/process.h"

namespace mapscope {

struct MapFactsOptions {
  bool with_holders = true; // goes through the descriptors of all processes
};

// A process that keeps a map, by descriptors of it or of programs and links that use it. Who it is,
// pipeline/ finds out.
struct HeldMap {
  std::uint32_t map_id = 0;
  ProcessKey process;
  bool directly = false;   // a descriptor of the map
  bool by_program = false; // one of a program or link that uses it
};

struct MapFactsAnswer {
  std::vector<BpfMapFacts> maps; // by id; without `holders` and `owner`, see pipeline/bpf_maps/
  std::vector<HeldMap> held;     // by map, then process
  std::unordered_set<std::uint32_t> pinned_programs; // by themselves or by a link of theirs
  // False where some processes, programs or BPF file systems could not be looked at, or nobody
  // looked: then nothing follows from a map without holders.
  bool knows_holders = false;
  std::uint64_t vanished = 0;
  std::vector<std::string> problems; // "no holders: ...", a sentence each
};

// Errors: denied (bpf(2) wants CAP_SYS_ADMIN for ids), system.
Result<MapFactsAnswer> find_bpf_maps(const MapFactsOptions &options = {});

// A descriptor of the map of that id, for reading only where the kernel allows it. Errors:
// not_found (it is gone), denied, system.
Result<Fd> open_bpf_map(std::uint32_t id);

} // namespace mapscope
