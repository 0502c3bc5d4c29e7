// What changed in the maps of a process between two looks at it: `maps --diff BEFORE AFTER`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"

namespace mapscope {

// A map as one look found it. Address and seed tell it from others; a map that is cleared gets a
// new seed, and then counts as gone and appeared.
struct DiffMap {
  ProcessAddress address;
  std::uint64_t seed = 0;
  std::uint32_t type = 0; // index of MapsLook::types
  std::uint64_t len = 0, bytes = 0;
  std::optional<std::uint64_t> reclaimable_bytes;
};

struct MapsLook {
  std::string source;             // "snapshot before.snap"
  std::string process;            // "/srv/app (pid 4711), go1.26.8, swiss maps"
  std::uint64_t wall_time_ns = 0; // 0: not known
  std::vector<std::string> types; // names; empty: not known
  std::vector<DiffMap> maps;      // in any order
  std::uint64_t unsettled = 0;    // that changed too fast to be among them
};

struct DiffTotals {
  std::uint64_t maps = 0, entries = 0, bytes = 0, reclaimable_bytes = 0;
};

// All maps of a type.
struct TypeDiff {
  std::string type; // empty: not known
  DiffTotals before, after;
  std::uint64_t appeared = 0, gone = 0, grown = 0, shrunk = 0, unchanged = 0;
};

struct ChangedMap {
  ProcessAddress address;
  std::string type;
  std::optional<DiffMap> before, after; // absent: it appeared; it is gone
};

struct MapsDiff {
  TypeDiff all;                 // its type is empty
  std::vector<TypeDiff> types;  // those that changed, most bytes first
  std::vector<ChangedMap> maps; // likewise, as many as were asked for
  std::uint64_t changed = 0;    // maps, shown or not
};

// Larger in bytes is grown, else with more entries; `top` 0: all.
MapsDiff compare_maps(MapsLook &before, MapsLook &after, std::size_t top);

std::string maps_diff_text(const MapsLook &before, const MapsLook &after, const MapsDiff &diff,
                           bool colour);
// Schema mapscope.maps_diff/1.
std::string maps_diff_json(const MapsLook &before, const MapsLook &after, const MapsDiff &diff);

} // namespace mapscope
