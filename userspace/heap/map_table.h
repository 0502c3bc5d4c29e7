// The maps of a census, a million of them in 48 MB: most are small, and small numbers take little
// room. What goes in comes out the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "flow/map_sample.h"

namespace mapscope {

class MapTable {
public:
  void add(const MapSample &sample);
  std::size_t size() const { return rows_.size(); }
  MapSample operator[](std::size_t index) const;

  // What is asked of all maps: operator[] takes ten times as long.
  struct Brief {
    std::uint64_t address = 0, seed = 0;
    std::uint32_t types = kUnknownTypes;
    MapEvidence evidence = MapEvidence::plausible;
  };
  Brief brief(std::size_t index) const {
    const Row &row = rows_[index];
    return {row.address, row.seed, row.types, static_cast<MapEvidence>(row.evidence)};
  }

  // The map of that index is pointed to as one, and may have these types.
  void add_reference(std::size_t index, std::uint32_t types);

private:
  enum RowKind : std::uint16_t { kPlain, kWithMore, kWide };
  struct Row {
    std::uint64_t address = 0, seed = 0;
    std::uint32_t len = 0; // where it is not plain: its index in more_ or wide_
    std::uint32_t slots = 0, directory = 0, cells = 0, types = 0, resident = 0;
    std::uint16_t tombstones = 0, rounding = 0, group_bytes = 0;
    RowKind kind : 2 = kPlain;
    std::uint16_t evidence : 2 = 0;
    std::uint16_t header : 2 = 0;  // a code
    std::uint16_t control : 2 = 0; // bytes a slot
    std::uint16_t was_cleared : 1 = 0, has_deletions : 1 = 0, has_grown : 1 = 0, was_hinted : 1 = 0;
    std::uint16_t is_on_stack : 1 = 0;
    std::uint16_t is_in_motion : 1 = 0;
    std::uint16_t is_rest_swapped : 1 = 0; // what is not resident; else it is nowhere
  };
  static_assert(sizeof(Row) == 48);

  // Of maps that have old buckets, or something outside their cells.
  struct More {
    std::uint32_t len = 0, overflow = 0, old = 0, indirect = 0, old_buckets = 0,
                  evacuated_buckets = 0;
  };

  static Row narrow(const MapSample &sample);
  static MapSample widen(const Row &row, const More &more);

  std::deque<Row> rows_; // a vector would hold two and a half times as much while it grows
  std::deque<More> more_;
  std::deque<MapSample> wide_;
};

} // namespace mapscope
