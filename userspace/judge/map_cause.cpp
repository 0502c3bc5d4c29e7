// One finding for each way to waste memory, each with what it costs; the largest is told.
#include "judge/map_cause.h"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/map_defects.h"
#include "judge/struct_order.h"

namespace mapscope {

namespace {

// Ratios alone are noise: what costs less is not worth a word.
constexpr std::uint64_t kBytesMin = 1024;
constexpr std::uint64_t kCopiedBytesMin = 64 << 10;
// A small map is soon done with its growth, and every map that is filled grows now and then.
constexpr std::uint64_t kOldBytesMin = 16 << 10;

constexpr std::uint64_t kTooManySlots = 2; // times what make(map, len) has
// From here on, that the map has become empty says more than the tombstones which that left.
constexpr std::uint64_t kFarTooManySlots = 4;

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return fmt::format(
      "{:.0f} %", whole == 0 ? 0.0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::uint64_t entries_that_fit(const MapEvidenceOfWaste &map) {
  return map.is_classic ? map.map.slots / 16 * 13 : map.map.slots / 8 * 7;
}

// A quarter of the slots, or fewer, would do for the entries there are.
bool is_far_too_large(const MapEvidenceOfWaste &map) {
  auto slots = map.rebuild.slots(map.map.len);
  return slots && map.map.slots >= kFarTooManySlots * std::max<std::uint64_t>(*slots, 8);
}

std::string slots_kept(const MapEvidenceOfWaste &map) {
  return fmt::format("{} stay for {}, since a Go map never shrinks",
                     format_counted(map.map.slots, "slot"),
                     map.map.len == 0   ? "no entry"
                     : map.map.len == 1 ? "one entry"
                                        : format_count(map.map.len) + " entries");
}

// Many more slots than entries: emptied, or made too large.
MapFinding find_emptiness(const MapEvidenceOfWaste &map) {
  auto slots = map.rebuild.slots(map.map.len);
  if (!slots || map.map.slots < kTooManySlots * std::max<std::uint64_t>(*slots, 8))
    return {};
  std::uint64_t bytes = map.reclaimable_bytes.value_or(map.by_cause.empty);
  bytes -= std::min(bytes, map.by_cause.old);
  const MapHistory &history = map.map.history;
  const bool has_few_traces = map.map.tombstones * 64 < map.map.slots && !history.has_grown;
  const auto finding = [bytes](MapCause cause, std::string explanation) {
    return MapFinding{cause, bytes, std::move(explanation)};
  };
  if (history.was_cleared)
    return finding(MapCause::emptied, "It was cleared: " + slots_kept(map));
  if (history.has_deletions && !(history.was_hinted && has_few_traces))
    return finding(MapCause::emptied, "Entries were deleted: " + slots_kept(map));
  if (history.has_grown)
    return finding(MapCause::emptied, "It grew to its size and was emptied: " + slots_kept(map));
  std::string room = fmt::format("It has room for {} entries and holds {}",
                                 format_count(entries_that_fit(map)), format_count(map.map.len));
  if (!map.is_classic && !history.has_deletions)
    return finding(MapCause::over_hinted, room + ", with no sign that it ever held more");
  return finding(MapCause::mostly_empty,
                 room + "; nothing tells whether it was made too large, or held more before");
}

MapFinding find_tombstones(const MapEvidenceOfWaste &map) {
  std::uint64_t bytes = map.by_cause.tombstones;
  if (map.map.tombstones < map.map.slots / 8 || map.map.tombstones == 0 || is_far_too_large(map))
    return {};
  std::string explanation = fmt::format(
      "{} of {} slots ({}) are tombstones of deleted entries: they hold {}, and block as many new "
      "entries until the map grows",
      format_count(map.map.tombstones), format_count(map.map.slots),
      percent(map.map.tombstones, map.map.slots), format_bytes(bytes));
  MapCause cause = MapCause::tombstones;
  if (auto defect = tombstone_defect(map)) {
    explanation += "; " + defect->what;
    // That the oldest release never prunes is no secret; that a later one forgot some maps is.
    if (map.version.minor > 24 || map.map.len == 0)
      cause = MapCause::known_defect;
  }
  // Half of the slots of a map may be empty for good reason, but none has to be a tombstone: so
  // these come before emptiness of a map that is not far too large.
  return {cause, std::max(bytes, map.reclaimable_bytes.value_or(0)), std::move(explanation)};
}

MapFinding find_overflow(const MapEvidenceOfWaste &map) {
  if (!map.is_classic || map.map.slots == 0)
    return {};
  // A sixteenth of the buckets is spare from the start, and a fifth at full load is by chance.
  std::uint64_t main_bytes = map.map.bytes.cells + map.map.bytes.control;
  std::uint64_t usual = main_bytes / 4, overflow = map.map.bytes.overflow;
  if (overflow <= usual)
    return {};
  return {MapCause::overflow, overflow - usual,
          fmt::format("{} ({} of the map) are chains of overflow buckets: every look at them reads "
                      "several buckets, one after the other",
                      format_bytes(overflow), percent(overflow, map.map.bytes.total()))};
}

MapFinding find_old_buckets(const MapEvidenceOfWaste &map) {
  const MapSample &sample = map.map;
  if (sample.bytes.old < kOldBytesMin)
    return {};
  std::string moved = sample.old_buckets == 0 ? std::string{}
                                              : fmt::format(": {} of {} old buckets have moved",
                                                            format_count(sample.evacuated_buckets),
                                                            format_count(sample.old_buckets));
  return {MapCause::old_buckets, sample.bytes.old,
          fmt::format("A growth is unfinished{}, and all of them still take {}; each write moves "
                      "up to two, and a map that is only read keeps them",
                      moved, format_bytes(sample.bytes.old))};
}

MapFinding find_early_growth(const MapEvidenceOfWaste &map) {
  auto defect = early_growth_defect(map);
  if (!defect)
    return {};
  return {MapCause::known_defect, (map.map.bytes.cells + map.map.bytes.control) / 2,
          fmt::format("Half of its {} would do: {}", format_counted(map.map.slots / 8, "bucket"),
                      defect->what)};
}

// What padding is where, for one side of the map.
std::string holes_text(std::string_view what, const GoType &type) {
  constexpr std::size_t kHolesShown = 4;
  std::string text;
  auto holes = struct_holes(type);
  for (std::size_t i = 0; i < std::min(holes.size(), kHolesShown); ++i)
    text += fmt::format("{}{} {} {}.{}", text.empty() ? "" : ", ", holes[i].bytes,
                        holes[i].behind.empty() ? "inside" : "behind", what,
                        holes[i].behind.empty() ? "*" : holes[i].behind);
  return text + (holes.size() > kHolesShown ? ", ..." : "");
}

MapFinding find_padding(const MapEvidenceOfWaste &map, bool fixable) {
  if (map.candidates.size() != 1 || !map.by_cause.padding || map.map.len == 0)
    return {};
  const MapTypeLayout &type = *map.candidates.front();
  const std::uint64_t a_slot = type.bytes_per_slot(), padding = type.padding_bytes_per_slot();
  const bool has_order = !type.type.key_is_indirect && !type.type.element_is_indirect &&
                         (better_struct_order(type.key) || better_struct_order(type.element));
  if (has_order != fixable || padding * 5 < a_slot)
    return {};
  std::string where;
  for (std::string part : {holes_text("key", type.key), holes_text("element", type.element)})
    if (!part.empty())
      where += (where.empty() ? "" : ", ") + part;
  std::uint64_t inside = type.key.padding_bytes + type.element.padding_bytes;
  if (padding > inside)
    where += fmt::format("{}{} to align the entry", where.empty() ? "" : ", ", padding - inside);
  return {MapCause::padding, padding * map.map.slots,
          fmt::format("{} of the {} bytes of each entry ({}) are padding: {}", padding, a_slot,
                      percent(padding, a_slot), where)};
}

// All that a map of so many slots has copied while it doubled from its first group.
MapFinding find_missing_hint(const MapEvidenceOfWaste &map) {
  const MapSample &sample = map.map;
  auto a_slot = bytes_per_slot_of(sample, map.candidates);
  // Tables of a map that was made for its entries split too, by chance: where that is likely, a
  // growth tells nothing.
  if (!sample.history.has_grown || sample.history.was_hinted || !a_slot || sample.slots < 16 ||
      (!map.is_classic && map.rebuild.expected_growths(sample.len) > 0.05))
    return {};
  const std::uint64_t last = std::bit_floor(sample.slots - 1); // before the last doubling
  const std::uint64_t load = map.is_classic ? 13 : 14;         // of sixteen slots
  // 8 + 16 + ... + last slots were full when they were copied.
  const std::uint64_t copied = (2 * last - 8) / 16 * load * *a_slot;
  if (copied < kCopiedBytesMin)
    return {};
  return {MapCause::no_hint, copied,
          fmt::format("It has grown step by step: from its first group on, {} doublings copied "
                      "about {}",
                      std::bit_width(last) - 3, format_bytes(copied))};
}

} // namespace

MapFinding find_cause(const MapEvidenceOfWaste &map) {
  MapFinding emptiness = find_emptiness(map);
  MapFinding tombstones = find_tombstones(map);
  std::array findings = {tombstones,
                         std::move(emptiness),
                         find_overflow(map),
                         find_old_buckets(map),
                         find_early_growth(map),
                         find_padding(map, true)};
  auto largest = std::ranges::max_element(findings, {}, &MapFinding::bytes);
  if (largest->cause != MapCause::none && largest->bytes >= kBytesMin)
    return *largest;
  // Nothing to free in the map as it is; but it could have been made cheaper.
  for (MapFinding finding : {find_missing_hint(map), find_padding(map, false)})
    if (finding.cause != MapCause::none && finding.bytes >= kBytesMin)
      return finding;
  return {};
}

} // namespace mapscope
