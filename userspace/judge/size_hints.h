// Which size hint would have spared the maps of one line their growth.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flow/trace_event.h"
#include "flow/trace_summary.h"

namespace mapscope {

// What one map has grown to, as far as it was seen. Sums only, so that it can be taken out of a
// line's totals and put back larger.
struct GrownMap {
  std::uint64_t growths = 0;
  std::uint64_t bytes = 0; // that they asked for
  std::uint64_t growths_without_bytes = 0;
  // Of the smallest power of two of slots that holds what it grew to; absent: not known.
  std::optional<std::uint32_t> slots_log2;
  std::uint64_t at_once_bytes = 0; // what so many slots ask for, from how the last growth did

  // One more growth or split.
  void add(const MapChange &change);
};

bool is_classic(map_operation operation);

// How many entries fit into 2^slots_log2 slots without growth. Swiss maps: 7/8 of them, as
// maxAvgGroupLoad of internal/runtime/maps/group.go has it. Classic maps: 6 of 8, the load factor
// of Go 1.21; in other versions 6.5 fit, and a hint of 6 gives as many buckets there
// (runtime/map.go, overLoadFactor).
std::uint64_t entries_in(std::uint32_t slots_log2, bool classic);

// The grown maps of one line, by the size they got.
class SizeHints {
public:
  void add(const GrownMap &map) { change(map, true); }
  void remove(const GrownMap &map) { change(map, false); }

  // The hint for nine in ten of the maps, the smallest that spares them every growth that was
  // seen. Absent: they grew but once each, their size is not known, or so large a start for all
  // of them would have cost more than it saved.
  std::optional<SizeHint> best(bool classic) const;

  std::uint64_t maps() const;

private:
  struct Size {
    std::uint64_t maps = 0, growths = 0, bytes = 0, growths_without_bytes = 0;
    std::uint64_t at_once_bytes = 0;
  };

  void change(const GrownMap &map, bool add);

  std::vector<Size> sizes_; // indexed by slots_log2
  std::uint64_t maps_without_size_ = 0;
};

} // namespace mapscope
