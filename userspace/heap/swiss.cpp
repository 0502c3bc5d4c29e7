// The rules that tie header, directory, tables and control words of a swiss map to each other.
#include "heap/swiss.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/census_memory.h"
#include "heap/group_size.h"
#include "heap/swiss_groups.h"
#include "heap/type_check.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kTableSlotsMax = 1024;                 // maxTableCapacity
constexpr std::uint64_t kTableLenMax = kTableSlotsMax / 8 * 7; // maxAvgGroupLoad of 8 is 7
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 40;    // of anything in one process

// Growth left in a fresh table. Go source: table.go, resetGrowthLeft.
std::uint64_t load_max(std::uint64_t capacity) {
  return capacity <= kGroupSlots ? capacity - 1 : capacity / 8 * 7;
}

// The place of a table in its directory: entries [position, position + 2^run_log2).
struct TablePlace {
  static constexpr std::uint32_t kPositionMax = 0xffffff;
  std::uint32_t position = 0, run_log2 = 0;

  std::uint32_t pack() const { return position | run_log2 << 24; }
  static TablePlace unpack(std::uint32_t tag) { return {tag & kPositionMax, tag >> 24}; }
};

} // namespace

bool SwissDecoder::parse_header(const HeaderCandidate &candidate, DecodedMap &map,
                                std::uint64_t &dir_len) const {
  const SwissLayout &at = layout_.swiss;
  std::span<const std::byte> header = std::span{candidate.bytes}.first(layout_.header_size);
  auto depth = load<std::uint8_t>(header, at.global_depth);
  auto shift = load<std::uint8_t>(header, at.global_shift);
  map.sample.address = {candidate.address};
  map.sample.seed = load<std::uint64_t>(header, at.seed);
  map.sample.len = load<std::uint64_t>(header, at.used);
  map.contents = load<std::uint64_t>(header, at.dir_ptr);
  map.header_digest = digest_of(header, 0, at.writing); // as it is while nobody writes
  dir_len = load<std::uint64_t>(header, at.dir_len);
  auto clear_seq = load<std::uint64_t>(header, at.clear_seq);
  map.sample.history.was_cleared = clear_seq != 0;
  // Behind `writing` lies tombstonePossible (1.25 on), a bool, and padding.
  if (at.writing + 2 > at.clear_seq || load<std::uint8_t>(header, at.writing) > 1 ||
      load<std::uint8_t>(header, at.writing + 1) > 1 ||
      !all_zero(header.subspan(at.writing + 2, at.clear_seq - at.writing - 2)))
    return false;
  // Set when a deletion leaves a tombstone, until the map is cleared. Go source: map.go@1.25,
  // Delete.
  map.sample.history.has_deletions = load<std::uint8_t>(header, at.writing + 1) == 1;
  // A seed is 64 random bits: one of 4e9 is refused here that need not be.
  if (map.sample.seed >> 32 == 0 || clear_seq >= kCountMax || map.sample.len >= kCountMax)
    return false;
  if (dir_len == 0)
    return depth == 0 && shift == 0 &&
           (map.contents == 0 ? map.sample.len == 0 && clear_seq == 0
                              : map.sample.len <= kGroupSlots);
  return depth < 40 && dir_len == std::uint64_t{1} << depth && shift == 64 - depth &&
         map.contents != 0 && map.sample.len <= dir_len * kTableLenMax;
}

Result<> SwissDecoder::start(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                             const DecodeOptions &options, std::vector<DecodedMap> &maps) {
  std::uint64_t header_bytes = heap_bytes(layout_.header_size, true, true);
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    DecodedMap &map = maps[i];
    std::uint64_t dir_len = 0;
    if (!parse_header(candidates[i], map, dir_len)) {
      map.outcome = DecodeOutcome::no_header;
      continue;
    }
    map.sample.bytes.header = header_bytes;
    reader.in_memory(candidates[i].address).add_to(map.sample);
    if (map.contents == 0 || options.headers_only) {
      map.sample.evidence = MapEvidence::plausible;
      map.outcome = DecodeOutcome::map;
      continue;
    }
    if (dir_len > options.contents_bytes_max / 8) {
      map.outcome = DecodeOutcome::too_large;
      continue;
    }
    auto object = TRY(reader.object_at(map.contents));
    bool is_small = dir_len == 0;
    auto sizes = is_small && object ? possible_group_sizes(*object, 1) : GroupSizes{};
    if (!object || (is_small ? sizes.empty()
                             : !object->has_pointers ||
                                   object->size_bytes != heap_bytes(dir_len * 8, true, true))) {
      map.contradict();
      continue;
    }
    map.sample.evidence = MapEvidence::consistent;
    map.contents_span = object->span;
    map.contents_slot = object->slot;
    known_[i] = options.known.empty() ? nullptr : options.known[i];
    // What is not seen this time may have left memory.
    if (known_[i] != nullptr && (!known_[i]->holds(map.sample.seed, map.header_digest) ||
                                 (known_[i]->has_more_objects && reader.knows_residency())))
      known_[i] = nullptr;
    reader.in_memory(*object).add_to(map.sample);
    if (is_small) {
      map.sample.slots = kGroupSlots;
      map.sample.bytes.cells = object->size_bytes;
      TableCounts counts{.used = static_cast<std::uint32_t>(map.sample.len)};
      len_in_tables_[i] = map.sample.len;
      if (known_[i] != nullptr && known_[i]->fits(sizes))
        recall(i, map);
      else
        ask_groups(*object, i, counts.pack(), 0, reader);
    } else {
      map.sample.bytes.directory = object->size_bytes;
      depth_[i] = static_cast<std::uint8_t>(std::countr_zero(dir_len));
      directories_.push_back(
          {map.contents, static_cast<std::uint32_t>(dir_len * 8), object->span, i, 0});
    }
  }
  return {};
}

void SwissDecoder::ask_groups(const HeapObject &array, std::uint32_t map, std::uint32_t counts,
                              std::uint32_t place, ObjectReader &reader) {
  bool is_small = TableCounts::unpack(counts).capacity == 0;
  if (types_ == nullptr && is_small) {
    groups_.push_back({array.data(), 8, array.span, map, counts});
    return;
  }
  if (types_ != nullptr) {
    types_->ask_bitmap(map, array, reader.spans(), groups_);
    places_.resize(groups_.size());
    places_.push_back(place);
  }
  // From the malloc header on, which names the type.
  groups_.push_back(
      {array.start, static_cast<std::uint32_t>(array.size_bytes), array.span, map, counts});
}

Result<> SwissDecoder::take_directory(const ObjectRequest &request,
                                      std::span<const std::byte> bytes, ObjectReader &reader,
                                      std::size_t tables_max, DecodedMap &map) {
  std::uint64_t len = bytes.size() / 8;
  if (len == 0)
    map.contradict();
  for (std::uint64_t i = 0, run = 0; i < len; i += run) {
    auto table = load<std::uint64_t>(bytes, i * 8);
    for (run = 1; i + run < len && load<std::uint64_t>(bytes, (i + run) * 8) == table;)
      ++run;
    auto object = TRY(reader.object_at(table));
    if (!object || !object->has_pointers || !std::has_single_bit(run) || i % run != 0 ||
        object->size_bytes != heap_bytes(layout_.swiss.table_size, true, true)) {
      map.contradict();
      return {};
    }
    if (tables_.size() >= tables_max || i > TablePlace::kPositionMax) {
      map.outcome = DecodeOutcome::too_large;
      return {};
    }
    // All tables that a hint made are of one depth; only a split makes one deeper than another.
    map.sample.history.has_grown |= run > 1;
    TablePlace place{static_cast<std::uint32_t>(i),
                     static_cast<std::uint32_t>(std::countr_zero(run))};
    tables_.push_back({table, layout_.swiss.table_size, object->span, request.map, place.pack()});
    map.sample.bytes.directory += object->size_bytes;
    reader.in_memory(*object).add_to(map.sample);
  }
  return {};
}

Result<> SwissDecoder::take_table(const ObjectRequest &request, std::span<const std::byte> bytes,
                                  ObjectReader &reader, DecodedMap &map) {
  if (map.outcome != DecodeOutcome::pending)
    return {};
  if (bytes.empty()) {
    map.contradict();
    return {};
  }
  const SwissLayout &at = layout_.swiss;
  auto place = TablePlace::unpack(request.tag);
  auto used = load<std::uint16_t>(bytes, at.table_used);
  auto capacity = load<std::uint16_t>(bytes, at.table_capacity);
  auto growth_left = load<std::uint16_t>(bytes, at.table_growth_left);
  auto local_depth = load<std::uint8_t>(bytes, at.table_local_depth);
  auto groups = load<std::uint64_t>(bytes, at.table_groups);
  bool is_sound = std::has_single_bit(capacity) && capacity >= kGroupSlots &&
                  capacity <= kTableSlotsMax &&
                  std::uint64_t{used} + growth_left <= load_max(capacity) &&
                  load<std::uint64_t>(bytes, at.table_length_mask) == capacity / kGroupSlots - 1u &&
                  load<std::uint64_t>(bytes, at.table_index) == place.position &&
                  local_depth + place.run_log2 == depth_[request.map];
  auto array = is_sound ? TRY(reader.object_at(groups)) : std::nullopt;
  auto sizes = array ? possible_group_sizes(*array, capacity / kGroupSlots) : GroupSizes{};
  if (sizes.empty()) {
    map.contradict();
    return {};
  }
  const RememberedMap *&known = known_[request.map];
  if (known != nullptr && !known->fits(sizes))
    known = nullptr;
  TableCounts counts{.used = used,
                     .tombstones =
                         static_cast<std::uint32_t>(load_max(capacity)) - used - growth_left,
                     .capacity = capacity};
  ask_groups(*array, request.map, counts.pack(), request.tag, reader);
  // The order of answers means nothing, so a sum it is.
  map.tables_digest += digest_of(bytes, request.address + request.tag);
  len_in_tables_[request.map] += used;
  // A hint makes all tables of one size, and a split makes two of the largest. So tables of unequal
  // size have grown, and one of several that is smaller was made for a hint. Go source: map.go,
  // NewMap; table.go, split.
  std::uint16_t &first_capacity = capacity_[request.map];
  map.sample.history.has_grown |= first_capacity != 0 && first_capacity != capacity;
  map.sample.history.was_hinted |= depth_[request.map] != 0 && capacity < kTableSlotsMax;
  map.sample.history.has_deletions |= counts.tombstones != 0;
  first_capacity = capacity;
  map.sample.slots += capacity;
  map.sample.tombstones += counts.tombstones;
  map.sample.bytes.cells += array->size_bytes;
  reader.in_memory(*array).add_to(map.sample);
  return {};
}

namespace {

// What is left once all tables agreed.
void finish(DecodedMap &map, std::uint64_t len_in_tables, bool in_motion) {
  if (map.outcome != DecodeOutcome::pending)
    return;
  if (!agree(map.sample.len, len_in_tables, in_motion) || map.sample.len > map.sample.slots ||
      (map.sample.is_in_motion && map.sample.group_bytes == 0)) { // no table agreed with itself
    map.contradict();
    return;
  }
  map.sample.is_in_motion |= map.sample.len != len_in_tables;
  MapBytes &bytes = map.sample.bytes;
  std::uint64_t groups = map.sample.slots / kGroupSlots * map.sample.group_bytes;
  if (groups != 0) {
    bytes.rounding = bytes.cells - groups;
    bytes.cells = groups;
  }
  bytes.control = map.sample.slots;
  bytes.cells -= bytes.control;
  map.outcome = DecodeOutcome::map;
  map.can_be_remembered = !map.sample.is_in_motion;
}

} // namespace

void SwissDecoder::recall(std::uint32_t index, DecodedMap &map) const {
  known_[index]->tell(map);
  finish(map, len_in_tables_[index], false);
}

// Header and tables are what they were when control words agreed with them, so these need not be
// read, nor anything else that depends on them.
void SwissDecoder::recall_unchanged(std::vector<DecodedMap> &maps) {
  for (std::uint32_t i = 0; i < maps.size(); ++i)
    if (known_[i] != nullptr && maps[i].outcome == DecodeOutcome::pending &&
        maps[i].tables_digest == known_[i]->tables_digest)
      recall(i, maps[i]);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (maps[groups_[i].map].is_remembered)
      continue;
    groups_[kept] = groups_[i];
    if (i < places_.size())
      places_[kept] = places_[i];
    ++kept;
  }
  groups_.resize(kept);
  places_.resize(std::min(places_.size(), kept));
}

Result<> SwissDecoder::take_answer(const ObjectRequest &request, std::span<const std::byte> bytes,
                                   ObjectReader &reader, DecodedMap &map) {
  if (map.outcome != DecodeOutcome::pending)
    return {};
  if (types_ != nullptr && request.tag == TypeCheck::kBitmapTag) {
    types_->take_bitmap(request, bytes);
    return {};
  }
  auto array = reader.spans().find_object(request.address);
  std::uint64_t header_bytes = array ? array->data() - request.address : 0;
  if (!array || header_bytes > kMallocHeaderBytes || bytes.size() <= header_bytes) {
    map.contradict();
    return {};
  }
  auto expected = TableCounts::unpack(request.tag);
  auto groups = bytes.subspan(header_bytes);
  if (!take_groups(expected, groups, *array, sizes_, map)) {
    if (!in_motion_ || expected.capacity == 0) {
      map.contradict();
      return {};
    }
    map.sample.is_in_motion = true;
    if (map.sample.group_bytes == 0) // no table has told it yet
      return {};
    sizes_.assign(1, map.sample.group_bytes);
  }
  if (types_ == nullptr || map.outcome != DecodeOutcome::pending)
    return {};
  std::uint64_t group_count = std::max(expected.capacity / kGroupSlots, std::uint64_t{1});
  auto place = TablePlace::unpack(places_[static_cast<std::size_t>(&request - groups_.data())]);
  return types_->take(
      request.map,
      {.array = *array,
       .group_count = group_count,
       .held_count = group_count,
       .bytes = groups,
       .seed = map.sample.seed,
       .group_sizes = sizes_,
       .type_word = header_bytes == kMallocHeaderBytes ? load<std::uint64_t>(bytes, 0) : 0,
       .position = place.position,
       .run_log2 = place.run_log2,
       .depth = depth_[request.map]},
      reader);
}

Result<> SwissDecoder::decode(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                              const DecodeOptions &options, std::vector<DecodedMap> &maps) {
  maps.assign(candidates.size(), {});
  len_in_tables_.assign(candidates.size(), 0);
  depth_.assign(candidates.size(), 0);
  capacity_.assign(candidates.size(), 0);
  known_.assign(candidates.size(), nullptr);
  directories_.clear();
  tables_.clear();
  groups_.clear();
  places_.clear();
  types_ = options.types;
  in_motion_ = options.in_motion;
  if (types_ != nullptr)
    types_->start(candidates.size());
  TRY(start(candidates, reader, options, maps));
  Result<> taken;
  auto note = [&](Result<> result) {
    if (!result && taken)
      taken = std::move(result);
  };
  TRY(reader.read(directories_, [&](const ObjectRequest &request, auto bytes) {
    note(take_directory(request, bytes, reader, options.requests_max, maps[request.map]));
  }));
  TRY(reader.read(tables_, [&](const ObjectRequest &request, auto bytes) {
    note(take_table(request, bytes, reader, maps[request.map]));
  }));
  TRY(std::move(taken));
  if (!options.known.empty())
    recall_unchanged(maps);
  TRY(reader.read(groups_, [&](const ObjectRequest &request, auto bytes) {
    note(take_answer(request, bytes, reader, maps[request.map]));
  }));
  TRY(std::move(taken));
  if (types_ != nullptr)
    TRY(types_->finish(candidates, reader, maps));
  for (std::size_t i = 0; i < candidates.size(); ++i)
    finish(maps[i], len_in_tables_[i], in_motion_);
  return {};
}

} // namespace mapscope
