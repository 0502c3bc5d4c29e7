// What the operations of a map ask of the heap, by the runtime's own rules.
#pragma once

#include <cstdint>
#include <optional>

#include "flow/binary_facts.h"
#include "flow/map_type.h"

namespace mapscope {

inline constexpr std::uint64_t kSlotsOfGroup = 8;     // of a classic bucket as well
inline constexpr std::uint64_t kTableSlotsMax = 1024; // internal/runtime/maps/table.go

// Of one operation. How large a group or bucket is, only the type of the map tells.
struct Allocation {
  std::uint64_t fixed_bytes = 0;     // headers, tables, directories: as the heap counts them
  std::uint64_t array_count = 0;     // arrays of groups, or of buckets
  std::uint64_t groups_of_array = 0; // of buckets: before spare ones are added
};

// A map as its creation leaves it.
struct CreatedMap {
  std::uint64_t slots = 0;
  std::uint64_t tables = 0; // swiss
  Allocation allocation;
};

// Of one Go release. Go source: runtime/map.go (until 1.23), runtime/map_noswiss.go (1.24, 1.25),
// internal/runtime/maps/{map,table}.go (1.24 on).
class MapRules {
public:
  explicit MapRules(const BinaryFacts &facts);

  // NewMap, makemap and makemap_small (hint 0). Empty for hints so large that the runtime may
  // drop them, which depends on the type.
  std::optional<CreatedMap> creation(std::uint64_t hint, bool header_is_on_heap) const;

  // hashGrow: whether `len` entries and one more are too many for 2^log_buckets buckets.
  bool is_over_load_factor(std::uint64_t len, unsigned log_buckets) const;
  // Whether makeBucketArray adds overflow buckets, which a mapextra then points to.
  static bool has_spare_buckets(unsigned log_buckets);
  // hashGrow, to 2^log_buckets buckets; `has_extra`: the map has a mapextra already.
  Allocation bucket_growth(unsigned log_buckets, bool has_extra) const;

  Allocation first_group() const { return {.array_count = 1, .groups_of_array = 1}; }
  // growToTable: two groups, a table and a directory of one.
  Allocation first_table() const;
  // (*table).grow, to a table of `slots`.
  Allocation table_growth(std::uint64_t slots) const;
  // (*table).split; `doubled_directory_len` 0: the directory is large enough.
  Allocation table_split(std::uint64_t doubled_directory_len) const;
  // (*Map).Clone of a map with at most one table.
  Allocation clone(std::uint64_t slots, bool has_table) const;

  // All of it. Empty where the type is needed and not known, or says something absurd.
  std::optional<std::uint64_t> bytes(const Allocation &allocation, const MapType *type) const;

private:
  std::uint64_t object_bytes(std::uint64_t size_bytes) const;
  std::uint64_t directory_bytes(std::uint64_t len) const { return object_bytes(8 * len); }

  bool is_classic_;
  bool has_malloc_headers_;
  std::uint64_t half_load_factor_; // entries for two buckets, as loadFactorNum of the source
  std::uint64_t header_bytes_;
};

} // namespace mapscope
