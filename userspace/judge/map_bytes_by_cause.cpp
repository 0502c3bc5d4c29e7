// Splits what the census could not split without a type: the cells.
#include "judge/map_bytes_by_cause.h"

#include <algorithm>

#include "go/map_rules.h"

namespace mapscope {

namespace {

// Padding of one entry, where all candidates have the same.
std::optional<std::uint64_t> padding_per_slot(MapTypes candidates) {
  std::optional<std::uint64_t> padding;
  for (const MapTypeLayout *type : candidates) {
    std::uint64_t here = type->padding_bytes_per_slot();
    if (padding && *padding != here)
      return std::nullopt;
    padding = here;
  }
  return padding;
}

// Bytes of all cells of the map, without what a size class added to them.
std::optional<std::uint64_t> cell_bytes(const MapSample &map, MapTypes candidates) {
  if (map.slots == 0 || map.group_bytes != 0 || map.bytes.cells == 0)
    return map.bytes.cells;
  std::uint64_t groups = map.slots / kSlotsOfGroup;
  std::uint64_t group_bytes = group_bytes_of(map, candidates);
  if (group_bytes == 0 || groups > map.bytes.cells / group_bytes + 1)
    return std::nullopt;
  std::uint64_t all = groups * group_bytes;
  if (all < map.bytes.control || all - map.bytes.control > map.bytes.cells)
    return std::nullopt; // no such groups would fit
  return all - map.bytes.control;
}

} // namespace

std::uint32_t group_bytes_of(const MapSample &map, MapTypes candidates) {
  if (map.group_bytes != 0 || candidates.empty())
    return map.group_bytes;
  std::uint64_t bytes = candidates.front()->type.group_bytes;
  bool is_one = std::ranges::all_of(
      candidates, [bytes](const MapTypeLayout *type) { return type->type.group_bytes == bytes; });
  return is_one && bytes <= 4096 ? static_cast<std::uint32_t>(bytes) : 0;
}

std::optional<std::uint64_t> bytes_per_slot_of(const MapSample &map, MapTypes candidates) {
  auto cells = cell_bytes(map, candidates);
  if (!cells || map.slots == 0)
    return std::nullopt;
  return *cells / map.slots;
}

BytesByCause bytes_by_cause(const MapSample &map, MapTypes candidates) {
  BytesByCause split{
      .control = map.bytes.control,
      .overflow = map.bytes.overflow,
      .old = map.bytes.old,
      .indirect = map.bytes.indirect,
      .directory = map.bytes.directory,
      .header = map.bytes.header,
      .size_class = map.bytes.rounding,
  };
  const std::uint64_t used = std::min(map.len, map.slots);
  auto cells = cell_bytes(map, candidates);
  if (!cells) {
    split.empty = map.bytes.cells;
    if (used == 0)
      split.entries = split.padding = 0;
    return split;
  }
  split.size_class += map.bytes.cells - *cells;
  const std::uint64_t a_slot = map.slots == 0 ? 0 : *cells / map.slots;
  split.tombstones = std::min(map.tombstones, map.slots - used) * a_slot;
  split.empty = *cells - split.tombstones - used * a_slot;
  split.entries = used * a_slot;
  auto padding =
      used == 0 || a_slot == 0 ? std::optional<std::uint64_t>{0} : padding_per_slot(candidates);
  if (padding) {
    split.padding = used * std::min(*padding, a_slot);
    *split.entries -= *split.padding;
  }
  return split;
}

} // namespace mapscope
