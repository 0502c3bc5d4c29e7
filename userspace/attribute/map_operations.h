// Operations of maps: from what a probe saw at a function's entry to what the operation does.
#pragma once

#include <cstdint>
#include <optional>

#include "attribute/map_header.h"
#include "attribute/map_tracker.h"
#include "flow/trace_event.h"
#include "go/map_rules.h"

namespace mapscope {

struct MapOperation {
  TraceKind kind = TraceKind::map_created;
  MapChange change;                     // without its type, and the bytes that depend on it
  std::uint64_t type = 0;               // address of the descriptor in the process; 0: not known
  std::optional<Allocation> allocation; // absent: not known
};

// rehash, and the functions that it calls to grow or split a table.
bool is_table_growth(map_operation operation);

// Takes the entries of probed functions of one process in the order of the ring buffer.
//
// Several functions tell the growth of one table: rehash calls grow or split, and split calls
// installTableSplit. The outermost that is probed is told, the others are not; told apart by
// the table, so it holds where the compiler put rehash into its callers (PGO) as well.
class MapOperations {
public:
  explicit MapOperations(const BinaryFacts &facts, std::size_t maps_max);

  // Empty for an inner step of an operation that was told, for a move of buckets (growWork), and
  // for an attempt to prune that the runtime gives up at once.
  std::optional<MapOperation> read(const map_operation_event &event);

  // The map that a creation or a copy returned; `entry` is what was read at its entry. The copy
  // keeps the identity of its original, and the new map is known from here on.
  void complete(MapOperation &entry, const map_operation_event &returned);

  const MapTracker &maps() const { return maps_; }
  MapTracker &maps() { return maps_; }
  const MapRules &rules() const { return rules_; }

private:
  // What the record holds, as far as it is plausible.
  struct Contents {
    std::optional<MapHeader> header;
    std::optional<TableFront> table;
  };

  Contents contents_of(const map_operation_event &event) const;
  std::optional<MapOperation> read_creation(const map_operation_event &event);
  void read_growth(const Contents &seen, TrackedMap *map, MapOperation &operation);
  void read_bucket_growth(const MapHeader &header, MapOperation &operation);
  void read_table_growth(const Contents &seen, TrackedMap *map, MapOperation &operation);
  void read_clone(const Contents &seen, MapOperation &operation);
  std::optional<std::uint64_t> slots_of(const Contents &seen, const TrackedMap *map) const;
  bool changes_seed(const Contents &seen) const;

  const BinaryFacts &facts_;
  MapRules rules_;
  MapTracker maps_;
};

} // namespace mapscope
