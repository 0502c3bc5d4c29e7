// The maps of a census, a million of them in 48 MB: most are small, and small numbers take little
// room. What goes in comes out the same.
#pragma once

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

private:
  struct Row {
    std::uint64_t address = 0, seed = 0;
    std::uint32_t len = 0; // of a map in wide_: its index there
    std::uint32_t slots = 0, directory = 0, control = 0, cells = 0;
    std::uint16_t tombstones = 0, rounding = 0, group_bytes = 0;
    std::uint8_t header = 0;
    MapEvidence evidence : 4 = MapEvidence::plausible;
    bool is_wide : 1 = false;
  };

  static Row narrow(const MapSample &sample);
  static MapSample widen(const Row &row);

  std::deque<Row> rows_; // a vector would hold two and a half times as much while it grows
  std::deque<MapSample> wide_;
};

} // namespace mapscope
