// What is put into maps of each type: keys, sockets, programs, interfaces, records. Holds what the
// maps refer to, which most would lose with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope::testing {

struct MadeBpfMap;

class BpfMapFillings {
public:
  // Puts `amount` entries in and notes the truth in the map.
  Result<void> fill(MadeBpfMap &map, std::uint64_t amount);
  int inner_map(); // for maps of maps

private:
  Result<void> fill_keys(MadeBpfMap &map, std::uint64_t amount);
  Result<void> fill_prefixes(MadeBpfMap &map, std::uint64_t amount);
  Result<void> push_values(MadeBpfMap &map, std::uint64_t amount);
  Result<void> fill_descriptors(MadeBpfMap &map, std::uint64_t amount);
  Result<void> fill_sockets(MadeBpfMap &map, std::uint64_t amount);
  Result<void> fill_stacks(MadeBpfMap &map, std::uint64_t amount);
  Result<void> fill_ring(MadeBpfMap &map, std::uint64_t bytes);
  Result<void> fill_user_ring(MadeBpfMap &map, std::uint64_t bytes);
  Result<void> fill_storage(MadeBpfMap &map);
  Result<void> touch_pages(MadeBpfMap &map, std::uint64_t amount);
  Result<Fd> descriptor_for(const MadeBpfMap &map);
  Result<int> connected_socket();

  std::vector<Fd> held_;
  int inner_map_ = -1;
};

// Bytes of a value as bpf(2) moves it: per-CPU types have one for each CPU.
std::size_t stored_value_bytes(const MadeBpfMap &map);

} // namespace mapscope::testing
