// A window in which calls into maps are counted: those of bpf(2), and those that programs may have
// made by their runs. What of it this kernel refuses is said, and the rest is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "flow/bpf_map.h"
#include "kernel/bpf_maps/call_window.h"
#include "kernel/bpf_maps/program_calls.h"

namespace mapscope {

struct RatesWanted {
  bool programs = true, system_calls = true;
  std::vector<std::uint32_t> sample_keys_of;
};

// A sample of the keys that were looked up, by whomever more of it was seen.
struct LookedUp {
  std::vector<std::vector<std::byte>> keys;
  bool by_programs = false;
};
using LookedUpKeys = std::map<std::uint32_t, LookedUp>; // by id of the map

using InnerMaps = std::set<std::uint32_t>;

// Those of the maps that other maps hold, by id: programs reach these without naming them. Absent:
// not known of all.
std::optional<InnerMaps> inner_maps_of(std::span<const BpfMapFacts> maps);

class BpfMapRateWindow {
public:
  // What can't be opened is told by close().
  void open(const RatesWanted &wanted);
  // Gives each map of the look its rates, and the look what could not be seen.
  LookedUpKeys close(BpfMapsLook &look, const std::optional<InnerMaps> &inner_maps);

private:
  Result<> open_calls(const std::vector<std::uint32_t> &sample_keys_of);

  // Both are loaded when first wanted. A refusal lasts.
  std::optional<CallWindow> calls_;
  std::optional<ProgramCalls> programs_;
  std::string calls_refused_;
  std::vector<std::string> problems_;
  bool calls_are_open_ = false, programs_are_open_ = false;
};

// The rates of one map; pure. Either answer may be missing, then nothing is said of its part.
BpfMapRates rates_of(const BpfMapFacts &map, const std::optional<CallWindowAnswer> &calls,
                     const std::optional<ProgramCallsAnswer> &programs,
                     const std::optional<InnerMaps> &inner_maps = std::nullopt);

} // namespace mapscope
