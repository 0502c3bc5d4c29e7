// Counts control bytes eight at a time, for each size that a group may have.
#include "heap/swiss_groups.h"

#include <algorithm>

#include "heap/bulk_read.h"
#include "heap/group_size.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kFullMask = 0x8080808080808080; // a set bit: not full
constexpr std::uint64_t kEmpty = 0x80, kDeleted = 0xfe;

struct ControlCounts {
  std::uint32_t full = 0, deleted = 0;
  bool is_valid = true; // no byte is anything but full, empty or deleted
};

ControlCounts &operator+=(ControlCounts &counts, std::uint64_t word) {
  // Adds up the eight bits without an instruction that not every processor has.
  std::uint64_t full = (~word & kFullMask) >> 7;
  counts.full += static_cast<std::uint32_t>(full * 0x0101010101010101 >> 56);
  // Mostly the rest is empty (0x80); then nothing has to be looked at byte by byte.
  std::uint64_t low_bits_of_others = ((word & kFullMask) >> 7) * 0x7f;
  if ((word & low_bits_of_others) == 0)
    return counts;
  for (; word != 0; word >>= 8) {
    std::uint64_t byte = word & 0xff;
    counts.deleted += byte == kDeleted;
    counts.is_valid &= byte <= kEmpty || byte == kDeleted;
  }
  return counts;
}

ControlCounts count_controls(std::span<const std::byte> array, std::uint64_t group_count,
                             std::uint64_t group_bytes) {
  ControlCounts counts;
  for (std::uint64_t group = 0; group < group_count && counts.is_valid; ++group)
    counts += load<std::uint64_t>(array, group * group_bytes);
  return counts;
}

// Whether deleted keys lie in empty groups: Delete clears an element, but no key without pointers
// (table.go, Delete), while growth and Clear leave zeros. An insertion under way has written its
// key before its control byte, but into one group only.
bool has_deleted_keys(std::span<const std::byte> array, std::uint64_t group_count,
                      std::uint64_t group_bytes) {
  constexpr std::uint64_t kGroupsMax = 64; // most of a long array says nothing new
  constexpr std::uint64_t kAllEmpty = 0x8080808080808080;
  unsigned found_count = 0;
  for (std::uint64_t group = 0; group < std::min(group_count, kGroupsMax); ++group)
    if (load<std::uint64_t>(array, group * group_bytes) == kAllEmpty &&
        !all_zero(array.subspan(group * group_bytes + 8, group_bytes - 8)) && ++found_count == 2)
      return true;
  return false;
}

} // namespace

bool all_zero(std::span<const std::byte> bytes) {
  std::size_t offset = 0;
  for (; offset + 8 <= bytes.size(); offset += 8)
    if (load<std::uint64_t>(bytes, offset) != 0)
      return false;
  return std::ranges::all_of(bytes.subspan(offset),
                             [](std::byte byte) { return byte == std::byte{0}; });
}

bool take_groups(TableCounts expected, std::span<const std::byte> bytes, const HeapObject &array,
                 std::vector<std::uint32_t> &sizes, DecodedMap &map) {
  sizes.clear();
  if (expected.capacity == 0) { // a small map never has a deleted slot
    auto counts = count_controls(bytes, 1, 8);
    return counts.is_valid && counts.full == expected.used && counts.deleted == 0;
  }
  std::uint64_t group_count = expected.capacity / kGroupSlots;
  std::uint32_t match = 0, match_count = 0;
  auto possible = possible_group_sizes(array, group_count);
  for (std::uint32_t size = possible.first; size <= possible.last; size += 8) {
    auto counts = count_controls(bytes, group_count, size);
    if (counts.is_valid && counts.full == expected.used && counts.deleted == expected.tombstones) {
      match = size;
      ++match_count;
      sizes.push_back(size);
    }
  }
  if (match_count != 1)
    return match_count != 0; // too little in it to tell its size
  if (map.sample.group_bytes != 0 && map.sample.group_bytes != match)
    map.contradict(); // all tables of a map have groups of one type
  map.sample.group_bytes = match;
  // Looked for where fewer are left than growth leaves: half of 7 in 8.
  MapHistory &history = map.sample.history;
  if (!history.has_deletions && expected.used * 16 < expected.capacity * 7)
    history.has_deletions = has_deleted_keys(bytes, group_count, match);
  return true;
}

} // namespace mapscope
