// Follows what the runtime will do after the entry, from the state that it begins with.
#include "attribute/map_operations.h"

namespace mapscope {
namespace {

bool is_creation(map_operation operation) {
  return operation == MAP_OPERATION_MAKE_SMALL || operation == MAP_OPERATION_MAKE ||
         operation == MAP_OPERATION_NEW_MAP;
}

// How far outside: rehash calls grow or split, which calls installTableSplit. 0: no growth of
// a table.
unsigned rank_of(map_operation operation) {
  switch (operation) {
  case MAP_OPERATION_REHASH:
    return 3;
  case MAP_OPERATION_TABLE_GROW:
  case MAP_OPERATION_TABLE_SPLIT:
    return 2;
  case MAP_OPERATION_INSTALL_SPLIT:
    return 1;
  default:
    return 0;
  }
}

// Whether an outer function's entry told the growth of that table already.
bool is_inner_step(const TrackedMap &map, std::uint64_t table, map_operation operation) {
  return map.told_table == table && rank_of(map.told_by) > rank_of(operation);
}

// (*table).tombstones, and the first lines of pruneTombstones: below a tenth it does nothing.
bool is_worth_pruning(const TableFront &table) {
  std::uint64_t load_max = table.slots * 7 / 8;
  std::uint64_t held = table.used + table.growth_left;
  return held < load_max && (load_max - held) * 10 >= table.slots;
}

void note_grower(TrackedMap &map, const map_operation_event &event) {
  if (event.goid == 0)
    return;
  if (map.grower.goroutine != event.goid)
    map.other_grower = map.grower;
  map.grower = {event.goid, event.stack};
}

} // namespace

bool is_table_growth(map_operation operation) { return rank_of(operation) != 0; }

MapOperations::MapOperations(const BinaryFacts &facts, std::size_t maps_max)
    : facts_(facts), rules_(facts), maps_(maps_max) {}

MapOperations::Contents MapOperations::contents_of(const map_operation_event &event) const {
  Contents contents;
  if (event.header_read)
    contents.header = read_map_header(event.map_header, facts_.map_implementation, facts_.version);
  if (event.table_read)
    contents.table = read_table_front(event.table_front);
  return contents;
}

std::optional<MapOperation> MapOperations::read(const map_operation_event &event) {
  auto kind = static_cast<map_operation>(event.operation);
  if (kind == MAP_OPERATION_GROW_WORK)
    return std::nullopt;
  if (is_creation(kind))
    return read_creation(event);

  Contents seen = contents_of(event);
  if (kind == MAP_OPERATION_PRUNE && seen.table && !is_worth_pruning(*seen.table))
    return std::nullopt; // the runtime gives up at once
  MapOperation operation{.type = event.map_type};
  operation.change.operation = kind;
  auto place = map_place(event);
  TrackedMap *map = nullptr;
  if (place && is_table_growth(kind) && kind != MAP_OPERATION_REHASH) {
    TrackedMap *known = maps_.find(*place);
    if (known != nullptr && is_inner_step(*known, event.table, kind)) {
      known->told_by = kind; // a step further inside may follow; the same one again is another
      return std::nullopt;
    }
  }
  if (place) {
    MapSight sight{.type = event.map_type, .slots = slots_of(seen, nullptr)};
    if (seen.header)
      sight.seed = seen.header->seed;
    auto sighting = maps_.see(*place, sight);
    map = &sighting.map;
    if (is_table_growth(kind)) {
      map->told_table = event.table;
      map->told_by = kind;
    }
    operation.change.map = identity_of(*map, *place, event.map);
    operation.change.is_first_sight = sighting.is_first;
    operation.type = map->type;
  }
  if (seen.header)
    operation.change.len = seen.header->len;
  operation.change.slots_before = slots_of(seen, map);

  switch (kind) {
  case MAP_OPERATION_CLEAR:
    operation.kind = TraceKind::map_cleared;
    operation.change.slots_after = operation.change.slots_before;
    operation.allocation = Allocation{};
    if (map != nullptr && changes_seed(seen))
      map->has_new_seed = true;
    return operation;
  case MAP_OPERATION_PRUNE:
    operation.kind = TraceKind::map_rehashed;
    operation.change.slots_after = operation.change.slots_before;
    if (seen.table)
      operation.change.table_slots_before = seen.table->slots;
    operation.allocation = Allocation{};
    return operation;
  case MAP_OPERATION_CLONE:
    read_clone(seen, operation);
    return operation;
  default:
    read_growth(seen, map, operation);
    if (map != nullptr)
      note_grower(*map, event);
    return operation;
  }
}

std::optional<MapOperation> MapOperations::read_creation(const map_operation_event &event) {
  auto kind = static_cast<map_operation>(event.operation);
  MapOperation operation{.kind = TraceKind::map_created, .type = event.map_type};
  operation.change.operation = kind;
  if (kind != MAP_OPERATION_MAKE_SMALL)
    operation.change.hint = event.hint;
  bool is_on_heap = event.map == 0;
  auto created = rules_.creation(operation.change.hint.value_or(0), is_on_heap);
  if (created) {
    operation.allocation = created->allocation;
    operation.change.slots_after = created->slots;
  }
  if (!is_on_heap && created && created->slots == 0) {
    // The compiler may have put the first group or bucket onto the stack beside the header.
    auto header = contents_of(event).header;
    operation.change.slots_after =
        header ? std::optional{header->storage == 0 ? 0 : kSlotsOfGroup} : std::nullopt;
  }
  if (auto place = map_place(event)) {
    TrackedMap &map =
        maps_.create(*place, {.type = event.map_type, .slots = operation.change.slots_after});
    map.tables = created ? created->tables : 0;
    operation.change.map = identity_of(map, *place, event.map);
  }
  return operation;
}

void MapOperations::complete(MapOperation &entry, const map_operation_event &returned) {
  auto place = map_place(returned);
  if (!place)
    return;
  // Where a header lies on the stack, the entry tells so and the return does not.
  if (entry.change.map && entry.change.map->stack_distance)
    place = MapPlace{*entry.change.map->stack_distance, returned.goid};
  MapSight sight{.type = entry.type, .slots = entry.change.slots_after};
  if (auto header = contents_of(returned).header)
    sight.seed = header->seed;
  bool is_known = entry.kind == TraceKind::map_created && entry.change.map;
  TrackedMap &map = is_known ? maps_.see(*place, sight).map : maps_.create(*place, sight);
  if (entry.kind == TraceKind::map_cloned)
    return;
  if (auto created = rules_.creation(entry.change.hint.value_or(0), true))
    map.tables = created->tables;
  entry.change.map = identity_of(map, *place, returned.map);
}

void MapOperations::read_growth(const Contents &seen, TrackedMap *map, MapOperation &operation) {
  operation.kind = TraceKind::map_grown;
  switch (operation.change.operation) {
  case MAP_OPERATION_HASH_GROW:
    if (seen.header)
      read_bucket_growth(*seen.header, operation);
    return;
  case MAP_OPERATION_GROW_TO_SMALL:
    operation.change.slots_before = 0;
    operation.change.slots_after = kSlotsOfGroup;
    operation.allocation = rules_.first_group();
    return;
  case MAP_OPERATION_GROW_TO_TABLE:
    operation.change.slots_before = kSlotsOfGroup;
    operation.change.slots_after = 2 * kSlotsOfGroup;
    operation.allocation = rules_.first_table();
    if (map != nullptr) {
      map->slots = operation.change.slots_after;
      map->tables = 1;
    }
    return;
  default:
    read_table_growth(seen, map, operation);
    return;
  }
}

void MapOperations::read_bucket_growth(const MapHeader &header, MapOperation &operation) {
  bool doubles = rules_.is_over_load_factor(header.len + 1, header.log_buckets);
  unsigned after = header.log_buckets + doubles;
  operation.kind = doubles ? TraceKind::map_grown : TraceKind::map_rehashed;
  operation.change.slots_after = kSlotsOfGroup << after;
  // Where the header does not show its mapextra: one that has spare buckets has it.
  bool had_spare_buckets = MapRules::has_spare_buckets(header.log_buckets);
  if (header.has_extra || had_spare_buckets || !MapRules::has_spare_buckets(after))
    operation.allocation =
        rules_.bucket_growth(after, header.has_extra.value_or(had_spare_buckets));
}

void MapOperations::read_table_growth(const Contents &seen, TrackedMap *map,
                                      MapOperation &operation) {
  MapChange &change = operation.change;
  bool is_split = change.operation == MAP_OPERATION_TABLE_SPLIT ||
                  change.operation == MAP_OPERATION_INSTALL_SPLIT;
  if (seen.table && change.operation == MAP_OPERATION_REHASH)
    is_split = 2 * seen.table->slots > kTableSlotsMax;
  operation.kind = is_split ? TraceKind::map_split : TraceKind::map_grown;
  if (!seen.table) {
    if (map != nullptr)
      map->slots.reset();
    return;
  }
  const TableFront &table = *seen.table;
  change.table_slots_before = table.slots;
  if (change.slots_before)
    change.slots_after = *change.slots_before + (is_split ? kTableSlotsMax : table.slots);
  if (!is_split) {
    operation.allocation = rules_.table_growth(2 * table.slots);
  } else if (seen.header) {
    bool doubles = std::uint64_t{1} << table.local_depth == seen.header->directory_len;
    operation.allocation = rules_.table_split(doubles ? 2 * seen.header->directory_len : 0);
  }
  if (map != nullptr) {
    map->tables = seen.header && seen.header->directory_len == 1 ? 1 : map->tables;
    map->tables += is_split ? 1 : 0;
    map->slots = change.slots_after;
  }
}

void MapOperations::read_clone(const Contents &seen, MapOperation &operation) {
  operation.kind = TraceKind::map_cloned;
  operation.change.slots_after = operation.change.slots_before;
  if (seen.header && seen.header->directory_len <= 1 && operation.change.slots_before)
    operation.allocation =
        rules_.clone(*operation.change.slots_before, seen.header->directory_len == 1);
}

// Of the whole map. With several tables, what was seen of their growth has to agree with the
// header: as many tables at most as the directory has places, and room for all entries.
std::optional<std::uint64_t> MapOperations::slots_of(const Contents &seen,
                                                     const TrackedMap *map) const {
  if (!seen.header)
    return std::nullopt;
  const MapHeader &header = *seen.header;
  if (facts_.map_implementation == MapImplementation::classic)
    return header.storage == 0 ? 0 : kSlotsOfGroup << header.log_buckets;
  if (header.directory_len == 0)
    return header.storage == 0 ? 0 : kSlotsOfGroup;
  if (header.directory_len == 1 && seen.table)
    return seen.table->slots;
  if (map == nullptr || !map->slots || map->tables > header.directory_len ||
      header.len > *map->slots / 8 * 7)
    return std::nullopt;
  return map->slots;
}

// The first lines of mapclear and (*Map).Clear: nothing is done to a map without entries.
bool MapOperations::changes_seed(const Contents &seen) const {
  return seen.header && (seen.header->len != 0 || seen.header->tombstone_possible);
}

} // namespace mapscope
