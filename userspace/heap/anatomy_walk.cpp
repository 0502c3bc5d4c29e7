// What swiss and classic maps have in common, and the walk through a swiss one.
#include "heap/anatomy_walk.h"

#include <bit>
#include <vector>

#include "heap/bulk_read.h"
#include "heap/group_size.h"

namespace mapscope {

Result<bool> AnatomyWalk::read(std::uint64_t address, std::span<std::byte> into) {
  MemoryRead wanted{{address}, into};
  TRY(reader.space().read({&wanted, 1}));
  agrees &= wanted.is_read;
  return wanted.is_read;
}

Result<std::optional<HeapObject>> AnatomyWalk::take_object(MapPart part, std::uint64_t address,
                                                           std::uint64_t asked_bytes) {
  auto object = TRY(reader.object_at(address));
  if (object)
    parts.add(part, *object, asked_bytes);
  agrees &= object.has_value();
  return object;
}

Result<> AnatomyWalk::take_indirect(MapPart part, std::uint64_t pointer,
                                    std::uint64_t asked_bytes) {
  if (auto object = TRY(take_object(part, pointer, asked_bytes)))
    indirect_bytes += object->size_bytes;
  return {};
}

Result<> AnatomyWalk::take_entries(std::span<const std::byte> group, unsigned live) {
  live_count += static_cast<unsigned>(std::popcount(live));
  if (type != nullptr && (type->type.key_is_indirect || type->type.element_is_indirect))
    for (unsigned cells = live; cells != 0 && agrees; cells &= cells - 1) {
      auto cell = static_cast<unsigned>(std::countr_zero(cells));
      std::uint64_t key = type->keys_offset + std::uint64_t{cell} * type->key_stride;
      std::uint64_t element = type->elements_offset + std::uint64_t{cell} * type->element_stride;
      if (key + 8 > group.size() || element + 8 > group.size()) {
        agrees = false;
        break;
      }
      if (type->type.key_is_indirect)
        TRY(take_indirect(MapPart::indirect_key, load<std::uint64_t>(group, key),
                          type->type.key_bytes));
      if (type->type.element_is_indirect)
        TRY(take_indirect(MapPart::indirect_element, load<std::uint64_t>(group, element),
                          type->type.element_bytes));
    }
  return on_group && live != 0 && agrees ? on_group(group, live) : Result<>{};
}

namespace {

constexpr std::uint64_t kTombstone = 0xfe;

class SwissWalk {
public:
  explicit SwissWalk(AnatomyWalk &walk) : walk_(walk), at_(walk.layout.swiss) {}

  Result<> run(std::span<const std::byte> header);

private:
  Result<> take_directory(std::uint64_t address, std::uint64_t dir_len);
  Result<> take_table(std::uint64_t address);
  // `address` is no heap object where the header is on a stack, too.
  Result<> take_small(std::uint64_t address);
  Result<> take_groups(std::uint64_t address, std::uint64_t group_count);

  AnatomyWalk &walk_;
  const SwissLayout &at_;
  std::vector<std::byte> groups_; // of the table at hand; kept for its memory
};

Result<> SwissWalk::run(std::span<const std::byte> header) {
  auto contents = load<std::uint64_t>(header, at_.dir_ptr);
  auto dir_len = load<std::uint64_t>(header, at_.dir_len);
  walk_.anatomy.global_depth = load<std::uint8_t>(header, at_.global_depth);
  if (contents == 0)
    return {};
  if (dir_len == 0)
    return take_small(contents);
  return take_directory(contents, dir_len);
}

Result<> SwissWalk::take_small(std::uint64_t address) {
  auto object = TRY(walk_.reader.object_at(address));
  std::uint64_t asked = walk_.group_bytes;
  if (object)
    walk_.parts.add(MapPart::groups, *object, asked != 0 ? asked : object->data_bytes());
  else if (walk_.anatomy.map.is_on_stack)
    walk_.parts.add_on_stack(MapPart::groups, address, asked);
  else
    walk_.agrees = false;
  return take_groups(address, 1);
}

Result<> SwissWalk::take_directory(std::uint64_t address, std::uint64_t dir_len) {
  constexpr std::uint64_t kEntriesAtOnce = 1 << 15;
  TRY(walk_.take_object(MapPart::directory, address, dir_len * 8));
  std::vector<std::uint64_t> entries;
  std::uint64_t last = 0;
  for (std::uint64_t done = 0; done < dir_len && walk_.agrees; done += entries.size()) {
    entries.resize(std::min(dir_len - done, kEntriesAtOnce));
    if (!TRY(walk_.read(address + done * 8, std::as_writable_bytes(std::span{entries}))))
      break;
    for (std::uint64_t table : entries) {
      if (table != last && walk_.agrees)
        TRY(take_table(table));
      last = table;
    }
  }
  return {};
}

Result<> SwissWalk::take_table(std::uint64_t address) {
  std::vector<std::byte> bytes(at_.table_size);
  TRY(walk_.take_object(MapPart::table, address, at_.table_size));
  if (!TRY(walk_.read(address, bytes)))
    return {};
  auto capacity = load<std::uint16_t>(bytes, at_.table_capacity);
  TableAnatomy table{.address = {address},
                     .groups = {load<std::uint64_t>(bytes, at_.table_groups)},
                     .index = load<std::uint64_t>(bytes, at_.table_index),
                     .slots = capacity,
                     .used = load<std::uint16_t>(bytes, at_.table_used),
                     .growth_left = load<std::uint16_t>(bytes, at_.table_growth_left),
                     .local_depth = load<std::uint8_t>(bytes, at_.table_local_depth)};
  std::uint64_t group_count = capacity / kGroupSlots;
  // Go source: table.go, resetGrowthLeft.
  std::uint64_t load_max = capacity <= kGroupSlots ? capacity - 1u : group_count * 7;
  if (group_count == 0 || group_count > 128 || table.used + table.growth_left > load_max) {
    walk_.agrees = false;
    return {};
  }
  table.tombstones = load_max - table.used - table.growth_left;
  auto array = TRY(walk_.reader.object_at(table.groups.value));
  if (!array) {
    walk_.agrees = false;
    return {};
  }
  walk_.parts.add(MapPart::groups, *array,
                  walk_.group_bytes != 0 ? group_count * walk_.group_bytes : array->data_bytes());
  std::uint64_t live_before = walk_.live_count, deleted_before = walk_.tombstone_count;
  TRY(take_groups(table.groups.value, group_count));
  walk_.agrees &=
      walk_.group_bytes == 0 || (walk_.live_count - live_before == table.used &&
                                 walk_.tombstone_count - deleted_before == table.tombstones);
  MapAnatomy &anatomy = walk_.anatomy;
  if (anatomy.table_count++ < kTablesShownMax)
    anatomy.tables.push_back(table);
  return {};
}

Result<> SwissWalk::take_groups(std::uint64_t address, std::uint64_t group_count) {
  if (walk_.group_bytes == 0)
    return {};
  groups_.resize(group_count * walk_.group_bytes);
  if (!TRY(walk_.read(address, groups_)))
    return {};
  for (std::uint64_t i = 0; i < group_count && walk_.agrees; ++i) {
    auto group =
        std::span<const std::byte>{groups_}.subspan(i * walk_.group_bytes, walk_.group_bytes);
    unsigned live = 0;
    for (unsigned cell = 0; cell < kGroupSlots; ++cell) {
      auto control = load<std::uint8_t>(group, cell);
      live |= unsigned{control < 0x80} << cell;
      walk_.tombstone_count += control == kTombstone;
    }
    ++walk_.anatomy.fill[static_cast<unsigned>(std::popcount(live))];
    TRY(walk_.take_entries(group, live));
  }
  return {};
}

} // namespace

Result<> walk_swiss(const HeaderCandidate &header, AnatomyWalk &walk) {
  TRY(SwissWalk{walk}.run(std::span{header.bytes}.first(walk.layout.header_size)));
  const MapSample &map = walk.anatomy.map;
  if (map.slots != 0 && walk.group_bytes != 0)
    walk.agrees &= walk.live_count == map.len && walk.tombstone_count == map.tombstones;
  return {};
}

} // namespace mapscope
