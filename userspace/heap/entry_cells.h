// Groups and buckets as bytes: which of their slots hold an entry, and what may lie between these.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "heap/bulk_read.h"
#include "heap/group_size.h"
#include "heap/span_table.h"
#include "heap/type_index.h"

namespace mapscope {

// Groups or buckets that lie beside each other, as they were read.
struct EntryCells {
  HeapObject array;              // the object that they are in
  std::uint64_t group_count = 0; // of that object, as asked of the heap
  std::uint64_t held_count = 0;  // of these bytes, at most; spare buckets are none
  std::span<const std::byte> bytes;
  std::uint64_t first_group = 0; // of the array, at the start of `bytes`
  std::uint64_t seed = 0;
  // Group sizes that the control words allow; empty: nothing is known.
  std::span<const std::uint32_t> group_sizes;
  std::uint64_t type_word = 0; // of the malloc header, where the array has one

  bool is_classic = false;
  std::uint64_t bucket_count = 0; // classic: a power of two; 0: of overflow buckets
  // Swiss: the table in its directory of 2^depth entries.
  std::uint32_t position = 0, run_log2 = 0, depth = 0;

  bool is_overflow() const { return is_classic && bucket_count == 0; }
};

struct Entry {
  std::uint64_t group = 0; // from the first of the cells on
  std::uint32_t slot = 0;
  std::uint8_t control = 0; // control byte, or tophash
};

enum class EntryVisit : std::uint8_t { next, stop, fail };

inline constexpr std::uint8_t kFirstTopHash = 5; // runtime/map.go, minTopHash
inline constexpr std::uint8_t kEmptyControl = 0x80;

// The tophash of a key. Go source: runtime/map.go, tophash.
inline std::uint8_t classic_control(std::uint64_t hash) {
  auto top = static_cast<std::uint8_t>(hash >> 56);
  return top < kFirstTopHash ? static_cast<std::uint8_t>(top + kFirstTopHash) : top;
}

inline bool is_full(bool is_classic, std::uint8_t control) {
  return is_classic ? control >= kFirstTopHash : control < kEmptyControl;
}

// Of a bucket that was evacuated: its entries have moved, and may have left their bytes.
inline bool is_evacuated(bool is_classic, std::uint8_t control) {
  return is_classic && control > 1 && control < kFirstTopHash;
}

inline std::uint64_t groups_held(std::uint32_t group_bytes, const EntryCells &cells) {
  return std::min<std::uint64_t>(cells.bytes.size() / group_bytes, cells.held_count);
}

// Calls visit(const Entry &) for each slot that holds one, until it answers otherwise than next.
// False: it answered fail.
template <typename Visit>
bool for_each_entry(std::uint32_t group_bytes, const EntryCells &cells, Visit &&visit) {
  for (std::uint64_t group = 0; group < groups_held(group_bytes, cells); ++group) {
    auto word = load<std::uint64_t>(cells.bytes, group * group_bytes);
    for (std::uint32_t slot = 0; slot < kGroupSlots; ++slot, word >>= 8) {
      auto control = static_cast<std::uint8_t>(word & 0xff);
      if (!is_full(cells.is_classic, control))
        continue;
      EntryVisit answer = visit(Entry{group, slot, control});
      if (answer != EntryVisit::next)
        return answer == EntryVisit::stop;
    }
  }
  return true;
}

std::span<const std::byte> key_of(const EntryPlaces &places, const EntryCells &cells,
                                  const Entry &entry);
std::span<const std::byte> element_of(const EntryPlaces &places, const EntryCells &cells,
                                      const Entry &entry);

// Swiss: a key that is not in the first group where it is looked for got there because that one
// was full, and a group that was full never has an empty slot again.
bool is_on_probe_path(std::uint32_t group_bytes, const EntryCells &cells, const Entry &entry,
                      std::uint64_t hash);

// Memory of an array is zero when the map gets it, elements of deleted entries are zeroed, and
// nobody writes between keys and elements. Go source: (*table).Delete, mapdelete: keys without
// pointers keep their bytes.
bool has_zeros_between(const EntryPlaces &places, const EntryCells &cells,
                       std::uint64_t groups_max);
bool has_boolean_elements(const EntryPlaces &places, const EntryCells &cells,
                          std::uint64_t groups_max);

} // namespace mapscope
