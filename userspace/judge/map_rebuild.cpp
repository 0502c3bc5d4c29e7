// The runtime's rules of creation, and what chance adds to them.
#include "judge/map_rebuild.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

#include "go/size_classes.h"

namespace mapscope {

namespace {

constexpr std::uint64_t kTableBytes = 32;   // internal/runtime/maps.table
constexpr std::uint64_t kPointersBytes = 8; // of one, in lists of overflow buckets
constexpr std::uint64_t kSliceBytes = 24;
constexpr unsigned kKnownBits = 11; // 32 KiB: stays in the processor's caches
constexpr std::size_t kKnownCount = std::size_t{1} << kKnownBits;
constexpr std::size_t kStepsOfLoad = 32; // of one entry a bucket
constexpr std::size_t kLoadMax = 8;      // above every load factor

// Overflow buckets of one bucket that gets `load` entries on average. Hashes are random, so the
// number of entries in a bucket is Poisson's.
double overflow_of_bucket(double load) {
  constexpr int kEntriesMax = 64; // of a bucket; more than that never happens at these loads
  double expected = 0, chance = std::exp(-load);
  for (int entries = 1; entries <= kEntriesMax; ++entries) {
    chance *= load / entries;
    if (entries > 8)
      expected += chance * ((entries - 1) / 8);
  }
  return expected;
}

double expected_overflow(std::uint64_t len, std::uint64_t buckets) {
  static const auto table = [] {
    std::array<double, kLoadMax * kStepsOfLoad + 1> values{};
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = overflow_of_bucket(static_cast<double>(i) / kStepsOfLoad);
    return values;
  }();
  double load = static_cast<double>(len) / static_cast<double>(buckets);
  auto at = static_cast<std::size_t>(std::lround(std::min<double>(load, kLoadMax) * kStepsOfLoad));
  return static_cast<double>(buckets) * table[at];
}

// Tables that get more than they can take: a table's share is binomial, so nearly normal.
double expected_splits(std::uint64_t len, std::uint64_t tables, std::uint64_t table_slots) {
  if (tables < 2)
    return 0;
  double mean = static_cast<double>(len) / static_cast<double>(tables);
  double deviation = std::sqrt(mean * (1 - 1 / static_cast<double>(tables)));
  double load_max = static_cast<double>(table_slots) * 7 / 8;
  double distance = (load_max + 0.5 - mean) / deviation;
  if (distance > 6)
    return 0; // one in 1e9
  return static_cast<double>(tables) * std::erfc(distance / std::sqrt(2.0)) / 2;
}

std::uint64_t rounded(double count) { return static_cast<std::uint64_t>(std::llround(count)); }

} // namespace

MapRebuild::MapRebuild(const BinaryFacts &facts)
    : rules_(facts), is_classic_(facts.map_implementation == MapImplementation::classic),
      has_malloc_headers_(facts.version >= GoVersion{1, 22}),
      is_known_release_(facts.is_known_release),
      header_bytes_(rules_.creation(0, true)->allocation.fixed_bytes), known_(kKnownCount) {}

std::optional<MapRebuild::Plan> MapRebuild::plan(std::uint64_t len) const {
  if (!is_known_release_)
    return std::nullopt;
  auto created = rules_.creation(len, false);
  if (!created)
    return std::nullopt;
  Plan plan{.map = *created};
  if (len == 0)
    return plan;
  if (plan.map.slots == 0) { // the first group comes with the first entry
    plan.map.slots = kSlotsOfGroup;
    plan.map.allocation.array_count = plan.map.allocation.groups_of_array = 1;
    return plan;
  }
  if (is_classic_)
    plan.growths = expected_overflow(len, plan.map.slots / kSlotsOfGroup);
  else
    plan.growths = expected_splits(len, plan.map.tables, plan.map.slots / plan.map.tables);
  return plan;
}

std::optional<std::uint64_t> MapRebuild::slots(std::uint64_t len) const {
  auto made = plan(len);
  return made ? std::optional{made->map.slots} : std::nullopt;
}

double MapRebuild::expected_growths(std::uint64_t len) const {
  auto made = plan(len);
  return made ? made->growths : 0;
}

std::optional<std::uint64_t> MapRebuild::work_out(std::uint64_t len, std::uint64_t group_bytes,
                                                  bool has_pointers) const {
  const auto made_for_len = plan(len);
  if (!made_for_len)
    return std::nullopt;
  const Plan &plan = *made_for_len;
  MapType type;
  type.group_bytes = group_bytes;
  type.group_has_pointers = has_pointers;
  Allocation all = plan.map.allocation;
  const std::uint64_t growths = rounded(plan.growths);
  if (!is_classic_) {
    all.array_count += growths;
    all.fixed_bytes += growths * kTableBytes;
    if (growths != 0 && plan.map.slots / plan.map.tables == kTableSlotsMax)
      all.fixed_bytes += heap_bytes(16 * plan.map.tables, true, has_malloc_headers_) -
                         heap_bytes(8 * plan.map.tables, true, has_malloc_headers_);
    return rules_.bytes(all, &type);
  }
  auto made = rules_.bytes(all, &type);
  if (!made || growths == 0)
    return made;
  const std::uint64_t buckets = plan.map.slots / kSlotsOfGroup;
  const bool has_spare =
      MapRules::has_spare_buckets(static_cast<unsigned>(std::countr_zero(buckets)));
  const std::uint64_t spare =
      has_spare ? (*made - all.fixed_bytes) / group_bytes - buckets : std::uint64_t{0};
  std::uint64_t bytes = *made;
  if (growths > spare)
    bytes += (growths - spare) * heap_bytes(group_bytes, has_pointers, has_malloc_headers_);
  if (!has_pointers) // then a list has to keep overflow buckets alive
    bytes += kSliceBytes +
             heap_bytes(kPointersBytes * std::bit_ceil(growths), true, has_malloc_headers_);
  return bytes;
}

std::uint64_t MapRebuild::contents_bytes(std::uint64_t len, std::uint64_t group_bytes,
                                         bool has_pointers) const {
  constexpr std::uint64_t kRandom = 0x9e3779b97f4a7c15; // Knuth's multiplicative hash
  // In one table, all lengths that ask for the same slots cost the same.
  std::uint64_t like = len;
  if (len <= kSlotsOfGroup)
    like = kSlotsOfGroup;
  else if (!is_classic_ && len <= kTableSlotsMax / 8 * 7)
    like = std::bit_ceil(len * 8 / 7) / 8 * 7;
  std::uint64_t question = like << 16 | group_bytes << 1 | (has_pointers ? 1 : 0);
  Known &known = known_[question * kRandom >> (64 - kKnownBits)];
  if (known.question == question)
    return known.bytes;
  std::uint64_t bytes = work_out(len, group_bytes, has_pointers).value_or(kNotKnown);
  if (like < std::uint64_t{1} << 48 && group_bytes < std::uint64_t{1} << 15) // else parts overlap
    known = {.question = question, .bytes = bytes};
  return bytes;
}

std::optional<std::uint64_t> MapRebuild::bytes(const MapSample &map, MapTypes candidates) const {
  if (!is_known_release_)
    return std::nullopt;
  const std::uint64_t rest = map.bytes.indirect + (map.is_on_stack ? 0 : header_bytes_);
  bool group_is_on_stack = map.is_on_stack && map.bytes.cells == 0 && map.bytes.control == 0;
  if (map.len == 0 || (map.len <= kSlotsOfGroup && group_is_on_stack))
    return rest;

  std::uint64_t answer = kNotKnown;
  auto agrees = [&](std::uint64_t group_bytes, bool has_pointers) {
    std::uint64_t bytes = contents_bytes(map.len, group_bytes, has_pointers);
    bool is_same = bytes != kNotKnown && (answer == kNotKnown || answer == bytes);
    answer = is_same ? bytes : kNotKnown;
    return is_same;
  };
  if (candidates.empty()) { // most sizes cost the same with pointers and without
    if (map.group_bytes == 0 || !agrees(map.group_bytes, true) || !agrees(map.group_bytes, false))
      return std::nullopt;
    return answer + rest;
  }
  const MapTypeLayout *last = nullptr;
  for (const MapTypeLayout *type : candidates) {
    if (last != nullptr && last->type.group_bytes == type->type.group_bytes &&
        last->type.group_has_pointers == type->type.group_has_pointers)
      continue;
    if (!agrees(map.group_bytes != 0 ? map.group_bytes : type->type.group_bytes,
                type->type.group_has_pointers))
      return std::nullopt;
    last = type;
  }
  return answer + rest;
}

} // namespace mapscope
