// Maps as a profile that `go tool pprof` opens: the owner path is the stack, the root at its
// bottom; type and site are labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/map_owner.h"

namespace mapscope {

// All maps of one type, owner and site.
struct MapsProfileRow {
  std::uint64_t maps = 0, bytes = 0, reclaimable_bytes = 0, entries = 0;
  std::string type; // empty: not known
  MapOwner owner;
  std::vector<SiteShare> sites; // the first is the label
};

struct MapsProfile {
  std::vector<MapsProfileRow> rows;
  std::vector<SiteUse> uses; // what map code allocated, with whole stacks
  std::uint64_t wall_time_ns = 0;
  std::string exe;
};

// A gzipped message perftools.profiles.Profile. Errors: system (no memory for it).
Result<std::string> maps_pprof(const MapsProfile &profile);

} // namespace mapscope
