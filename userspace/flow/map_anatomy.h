// One map taken apart: every object that it is made of, its tables or buckets, and the pages that
// they lie in. Made by heap/, shown by report/ (`maps --explain`).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "flow/map_sample.h"

namespace mapscope {

inline constexpr std::size_t kObjectsShownMax = 1000, kTablesShownMax = 1000; // rows

enum class MapPart : std::uint8_t {
  header,
  directory,
  table,
  groups,      // swiss: an array of groups
  buckets,     // classic: the array, spare buckets included
  old_buckets, // their overflow buckets too
  overflow_bucket,
  overflow_list, // slices that keep overflow buckets alive, and mapextra
  indirect_key,
  indirect_element,
};

// One heap object; alike ones may be folded into a row (`count`).
struct MapObject {
  MapPart part = MapPart::header;
  ProcessAddress address; // of the first
  std::uint64_t count = 1;
  std::uint64_t bytes = 0;       // in slots of their size class, all of them
  std::uint64_t asked_bytes = 0; // what the map asked the heap for
  std::uint64_t slot_bytes = 0;  // size class of one; 0: a large object
  ProcessAddress span;           // start of the span of the first
  std::uint64_t span_bytes = 0;
  bool has_pointers = false;
  bool is_on_stack = false;
};

struct TableAnatomy {
  ProcessAddress address, groups;
  std::uint64_t index = 0, slots = 0, used = 0, tombstones = 0, growth_left = 0;
  unsigned local_depth = 0;
};

// What keys and elements point to: strings, slices and pointers, from a sample of the entries.
struct PayloadEstimate {
  std::uint64_t entry_count = 0, sampled_count = 0;
  std::uint64_t bytes = 0;                  // in whole slots of the heap, scaled to all entries
  std::optional<std::uint64_t> error_bytes; // two standard errors; absent: every entry was read
  std::uint64_t unread_count = 0;           // of the sample, entries that would not hold still
};

struct MapAnatomy {
  MapSample map;
  unsigned global_depth = 0;        // swiss
  unsigned log_buckets = 0;         // classic: B
  std::vector<MapObject> objects;   // the first kObjectsShownMax; all are in `map.bytes`
  std::uint64_t object_count = 0;   // on the heap
  std::uint64_t span_count = 0;     // that these lie in
  std::vector<TableAnatomy> tables; // likewise, without repetitions
  std::uint64_t table_count = 0;
  // Groups or buckets with i entries, each overflow bucket by itself, old buckets not; all zero
  // where the size of a group is not known.
  std::array<std::uint64_t, 9> fill{};
  std::vector<std::uint64_t> chain_lengths; // classic: buckets with i overflow buckets; last: more
  // Pages that the objects lie in, each once: 8 KiB of Go's heap, and the kernel's.
  std::uint64_t heap_pages = 0;
  std::uint64_t kernel_page_bytes = 0;
  std::optional<std::uint64_t> kernel_pages, resident_pages, swapped_pages;
  std::optional<PayloadEstimate> payload;
  std::string no_payload; // a sentence: why it is absent, where it was asked for
};

} // namespace mapscope
