// Decides whether the map at a place is still the one that was there.
#include "attribute/map_tracker.h"

namespace mapscope {
namespace {

bool is_the_same(const TrackedMap &known, const MapSight &sight) {
  if (known.type != 0 && sight.type != 0 && known.type != sight.type)
    return false;
  if (known.slots && sight.slots && *sight.slots < *known.slots)
    return false;
  return !known.seed || !sight.seed || *known.seed == *sight.seed || known.has_new_seed;
}

} // namespace

std::optional<MapPlace> map_place(const map_operation_event &event) {
  if (event.map == 0 || (event.header_on_stack && event.goid == 0))
    return std::nullopt;
  if (event.header_on_stack)
    return MapPlace{event.header_distance, event.goid};
  return MapPlace{event.map, 0};
}

TrackedMap MapTracker::new_map(const MapSight &sight) {
  return {.number = ++last_number_, .seed = sight.seed, .type = sight.type};
}

MapTracker::Sighting MapTracker::see(MapPlace place, const MapSight &sight) {
  TrackedMap *known = maps_.find(place);
  if (known == nullptr)
    return {maps_.insert(place, new_map(sight)), true};
  if (!is_the_same(*known, sight)) {
    *known = new_map(sight);
    return {*known, true};
  }
  if (sight.seed) {
    known->seed = sight.seed;
    known->has_new_seed = false;
  }
  if (known->type == 0)
    known->type = sight.type;
  return {*known, false};
}

TrackedMap &MapTracker::create(MapPlace place, const MapSight &sight) {
  TrackedMap *known = maps_.find(place);
  TrackedMap &map = known == nullptr ? maps_.insert(place, {}) : *known;
  map = new_map(sight);
  map.creation_seen = true;
  map.slots = sight.slots;
  return map;
}

MapIdentity identity_of(const TrackedMap &map, MapPlace place, std::uint64_t address) {
  MapIdentity identity{.number = map.number, .seed = map.seed, .creation_seen = map.creation_seen};
  if (address != 0)
    identity.address = ProcessAddress{address};
  if (place.goroutine != 0)
    identity.stack_distance = place.where;
  return identity;
}

} // namespace mapscope
