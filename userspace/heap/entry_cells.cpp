// What no write of a map leaves behind.
#include "heap/entry_cells.h"

#include <algorithm>

namespace mapscope {
namespace {

bool all_zero(std::span<const std::byte> bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8)
    if (load<std::uint64_t>(bytes, at) != 0)
      return false;
  for (; at < bytes.size(); ++at)
    if (bytes[at] != std::byte{0})
      return false;
  return true;
}

std::span<const std::byte> cell(const EntryCells &cells, std::uint32_t group_bytes,
                                const Entry &entry, std::uint32_t offset, std::uint32_t stride,
                                std::uint32_t size_bytes) {
  return cells.bytes.subspan(entry.group * group_bytes + offset + entry.slot * stride, size_bytes);
}

} // namespace

std::span<const std::byte> key_of(const EntryPlaces &places, const EntryCells &cells,
                                  const Entry &entry) {
  return cell(cells, places.group_bytes, entry, places.keys_offset, places.key_stride,
              places.key_bytes);
}

std::span<const std::byte> element_of(const EntryPlaces &places, const EntryCells &cells,
                                      const Entry &entry) {
  return cell(cells, places.group_bytes, entry, places.elements_offset, places.element_stride,
              places.element_bytes);
}

bool is_on_probe_path(std::uint32_t group_bytes, const EntryCells &cells, const Entry &entry,
                      std::uint64_t hash) {
  std::uint64_t groups = groups_held(group_bytes, cells);
  if (cells.is_classic || groups != cells.group_count)
    return true;
  std::uint64_t first = hash >> 7 & (groups - 1); // h1, and groups are a power of two
  if (first == entry.group)
    return true;
  auto word = load<std::uint64_t>(cells.bytes, first * group_bytes);
  for (unsigned slot = 0; slot < kGroupSlots; ++slot, word >>= 8)
    if ((word & 0xff) == kEmptyControl)
      return false;
  return true;
}

bool has_zeros_between(const EntryPlaces &places, const EntryCells &cells,
                       std::uint64_t groups_max) {
  std::uint64_t groups = std::min(groups_held(places.group_bytes, cells), groups_max);
  // Keys and elements side by side, or first all keys and then all elements.
  std::uint32_t key_end = places.keys_offset + places.key_bytes;
  std::uint32_t element_end = places.elements_offset + places.element_bytes;
  std::uint32_t slot_end = places.keys_offset + places.key_stride;
  bool is_interleaved = places.key_stride == places.element_stride &&
                        key_end <= places.elements_offset && element_end <= slot_end;
  for (std::uint64_t group = 0; group < groups; ++group) {
    auto control = cells.bytes.subspan(group * places.group_bytes, kGroupSlots);
    for (std::uint32_t slot = 0; slot < kGroupSlots; ++slot) {
      Entry entry{group, slot, std::to_integer<std::uint8_t>(control[slot])};
      if (is_evacuated(cells.is_classic, entry.control))
        continue;
      if (!is_full(cells.is_classic, entry.control) && !all_zero(element_of(places, cells, entry)))
        return false;
      if (!is_interleaved)
        continue;
      if (!all_zero(cell(cells, places.group_bytes, entry, key_end, places.key_stride,
                         places.elements_offset - key_end)) ||
          !all_zero(cell(cells, places.group_bytes, entry, element_end, places.key_stride,
                         slot_end - element_end)))
        return false;
    }
  }
  return true;
}

bool has_boolean_elements(const EntryPlaces &places, const EntryCells &cells,
                          std::uint64_t groups_max) {
  return for_each_entry(places.group_bytes, cells, [&](const Entry &entry) {
    if (entry.group >= groups_max)
      return EntryVisit::stop;
    return element_of(places, cells, entry).front() > std::byte{1} ? EntryVisit::fail
                                                                   : EntryVisit::next;
  });
}

} // namespace mapscope
