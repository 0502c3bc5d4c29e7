// Which map is which: numbers for the maps of one process, in the order of first sight.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/lru_table.h"
#include "bpf/contract/events.h"
#include "flow/trace_event.h"

namespace mapscope {

// Where a header lies. Stacks move, so on a stack it is the distance from the stack's top that
// stays (runtime/stack.go, copystack).
struct MapPlace {
  std::uint64_t where = 0;     // address; distance on the stack of `goroutine`
  std::uint64_t goroutine = 0; // 0: in the heap
  friend bool operator==(MapPlace, MapPlace) = default;
};

// Empty where the event does not tell the map.
std::optional<MapPlace> map_place(const map_operation_event &event);

// A goroutine that made a map grow, and the stack that it did so with.
struct MapGrower {
  std::uint64_t goroutine = 0; // 0: none
  std::uint64_t stack = 0;
};

// What is known of one map between its events.
struct TrackedMap {
  std::uint64_t number = 0;
  std::optional<std::uint64_t> seed;
  std::uint64_t type = 0; // address of the descriptor in the process; 0: not known
  // Of all swiss tables together: while every growth since the map had one table was seen.
  std::optional<std::uint64_t> slots;
  std::uint64_t tables = 0;
  // The table whose growth the last event told, and which function's entry told it.
  std::uint64_t told_table = 0;
  map_operation told_by = MAP_OPERATION_NONE;
  MapGrower grower, other_grower; // the last one, and the last one before it that was another
  bool creation_seen = false;
  bool has_new_seed = false; // it was cleared since the seed was read
};

// What an event says of the map at a place, as far as it is certain.
struct MapSight {
  std::optional<std::uint64_t> seed;
  std::uint64_t type = 0;             // 0: not told
  std::optional<std::uint64_t> slots; // at least these
};

// The seed (hash0 of classic maps) tells a map from the next one at its address. It changes when
// the map is cleared, which is an event, and when the last entry is deleted, which is none: the
// map then counts as a new one. Maps never shrink, and never change their type.
class MapTracker {
public:
  explicit MapTracker(std::size_t maps_max) : maps_(maps_max) {}

  struct Sighting {
    TrackedMap &map; // valid until the next call
    bool is_first;
  };
  // Seen in an operation.
  Sighting see(MapPlace place, const MapSight &sight);
  // Just created there: whatever lay there before is gone.
  TrackedMap &create(MapPlace place, const MapSight &sight);
  // Null: never seen, or forgotten.
  TrackedMap *find(MapPlace place) { return maps_.find(place); }

  std::uint64_t forgotten() const { return maps_.forgotten(); }

private:
  struct HashPlace {
    std::uint64_t operator()(MapPlace place) const {
      return mix_bits(place.where ^ (place.goroutine << 32 | place.goroutine >> 32));
    }
  };

  TrackedMap new_map(const MapSight &sight);

  LruTable<MapPlace, TrackedMap, HashPlace> maps_;
  std::uint64_t last_number_ = 0;
};

// As events tell it. `address` 0: not known.
MapIdentity identity_of(const TrackedMap &map, MapPlace place, std::uint64_t address);

} // namespace mapscope
