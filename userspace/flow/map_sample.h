// One map as a census finds it in the memory of a process: made by heap/, shown by report/.
#pragma once

#include <cstdint>

#include "base/address.h"

namespace mapscope {

// Why an object is taken for a map.
enum class MapEvidence : std::uint8_t {
  plausible,  // a header without contents that nothing contradicts; listed apart
  consistent, // tables or buckets agree with the header in every count
  referenced, // a typed object points to it as to a map
  proved,     // its keys hash to where they lie
};

// What a map takes of the Go heap, in whole slots of size classes.
struct MapBytes {
  std::uint64_t header = 0;
  std::uint64_t directory = 0; // swiss: directory and tables; classic: lists of overflow buckets
  std::uint64_t control = 0;   // control words; tophash and overflow pointers
  std::uint64_t cells = 0;     // keys, elements and their padding, used or not
  // What size classes and malloc headers add. Where the size of a group is not known, this is
  // part of `cells`.
  std::uint64_t rounding = 0;
  std::uint64_t overflow = 0; // overflow buckets, spare ones included
  std::uint64_t old = 0;      // what an unfinished growth still holds, its overflow buckets too
  std::uint64_t indirect = 0; // keys and elements held by pointer

  std::uint64_t total() const {
    return header + directory + control + cells + rounding + overflow + old + indirect;
  }
  friend bool operator==(const MapBytes &, const MapBytes &) = default;
};

// What a map shows of its past.
struct MapHistory {
  bool was_cleared = false;   // swiss: clearSeq; classic maps do not tell (but for noswissmap)
  bool has_deletions = false; // tombstones, or what deleted entries left in unused cells
  bool has_grown = false;     // tables of unequal depth; buckets evacuated into twice as many
  bool was_hinted = false;    // swiss: several tables, one below the largest size: make(map, n)
  friend bool operator==(const MapHistory &, const MapHistory &) = default;
};

inline constexpr std::uint32_t kUnknownTypes = 0; // set of types of which nothing is known

struct MapSample {
  ProcessAddress address; // of the header
  std::uint64_t seed = 0; // with the address, the identity of a map
  std::uint64_t len = 0;
  std::uint64_t slots = 0;       // of tables; of main buckets, eight each
  std::uint64_t tombstones = 0;  // swiss only
  std::uint32_t group_bytes = 0; // one group or bucket, where the heap tells; 0: it does not
  MapEvidence evidence = MapEvidence::plausible;
  bool is_on_stack = false; // the header, and then maybe the first group, cost no heap
  // Written to while it was read: `len` is of one moment, and each table or bucket of its own.
  bool is_in_motion = false;
  MapHistory history;
  std::uint32_t types = kUnknownTypes; // index of a set of candidates in its census
  // An unfinished growth: buckets of the old array, and how many of them have been moved.
  std::uint64_t old_buckets = 0, evacuated_buckets = 0;
  MapBytes bytes;
  std::uint64_t resident_bytes = 0, swapped_bytes = 0; // of `bytes`; 0 where nobody asked

  friend bool operator==(const MapSample &, const MapSample &) = default;
};

} // namespace mapscope
