// The front of a map's header and of a swiss table, as the kernel side copied them from memory
// that may have changed meanwhile.
#pragma once

#include <cstdint>
#include <optional>

#include "bpf/contract/events.h"
#include "flow/binary_facts.h"
#include "go/map_rules.h"

namespace mapscope {

inline constexpr unsigned kLogBucketsMax = 48; // more than any address space holds

// Go source: runtime.hmap in runtime/map.go (until 1.23), runtime/map_noswiss.go (1.24, 1.25);
// Map in internal/runtime/maps/map.go (1.24 on).
struct MapHeader {
  std::uint64_t len = 0;
  std::uint64_t seed = 0;
  std::uint64_t storage = 0; // address of the buckets; of the group or directory; 0: none yet
  // Classic.
  unsigned log_buckets = 0;      // B
  std::optional<bool> has_extra; // absent: beyond what is copied
  // Swiss.
  std::uint64_t directory_len = 0; // 0: a small map, without tables
  bool tombstone_possible = false; // always false before 1.25, which has no such field
};

using MapHeaderWords = decltype(map_operation_event::map_header);

// Empty where the words can't be a map's header.
std::optional<MapHeader> read_map_header(const MapHeaderWords &words,
                                         MapImplementation implementation, GoVersion version);

struct TableFront {
  std::uint64_t used = 0, slots = 0, growth_left = 0;
  unsigned local_depth = 0;
};

// Empty where the word can't be the front of a table.
std::optional<TableFront> read_table_front(std::uint64_t word);

} // namespace mapscope
