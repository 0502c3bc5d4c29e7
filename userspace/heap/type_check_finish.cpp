// The end of a batch: what keys and elements point to, whether the maps are still what they were,
// and what all of it says of their types.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/user_space.h"
#include "heap/bulk_read.h"
#include "heap/type_check.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGapBytesMax = 512;
constexpr std::uint64_t kHeaderGapBytesMax = 2048;
// Keys that agree by chance: one of 128 each, and less often in large maps.
constexpr unsigned kKeysForTrust = 4;
constexpr unsigned kRoundsMax = 4;              // of reads for what interfaces hold
constexpr std::uint64_t kRefusedMapsMax = 1024; // without a single one that agrees

} // namespace

Result<std::optional<TypeCheck::PointeeBytes>>
TypeCheck::pointee_bytes(const TypeCheckRule &rule, const EntryCells &cells, ObjectReader &reader) {
  PointeeBytes sum;
  Result<> taken;
  auto add = [&](std::span<const std::byte> pointer, std::uint64_t size_bytes) {
    if (size_bytes == 0)
      return true;
    auto object = reader.object_at(load<std::uint64_t>(pointer, 0));
    if (!object) {
      taken = std::unexpected(std::move(object).error());
      return false;
    }
    if (!*object ||
        (*object)->size_bytes != index_.object_bytes(size_bytes, (*object)->has_pointers))
      return false;
    sum.heap_bytes += (*object)->size_bytes;
    sum.in_memory += reader.in_memory(**object);
    return true;
  };
  bool fits = for_each_entry(rule.places.group_bytes, cells, [&](const Entry &entry) {
    return add(mapscope::key_of(rule.places, cells, entry), rule.key_bytes) &&
                   add(element_of(rule.places, cells, entry), rule.element_bytes)
               ? EntryVisit::next
               : EntryVisit::fail;
  });
  TRY(std::move(taken));
  return fits ? std::optional{sum} : std::nullopt;
}

// Every pointee is counted, for each of the first few types that they fit.
Result<> TypeCheck::count_pointees(MapState &state, const EntryCells &cells, ObjectReader &reader) {
  // Of the set as it is now; it may become smaller.
  for (std::uint32_t rule : index_.rules_of(state.set)) {
    if (index_.rule(rule).kind != CheckKind::pointees)
      continue;
    auto sum = std::ranges::find(state.pointees, rule, &PointeeSum::rule);
    if (sum == state.pointees.end() && !cells.is_overflow())
      sum = std::ranges::find(state.pointees, kNone, &PointeeSum::rule);
    if (sum == state.pointees.end())
      continue;
    if (auto bytes = TRY(pointee_bytes(index_.rule(rule), cells, reader))) {
      sum->rule = rule;
      sum->bytes.heap_bytes += bytes->heap_bytes;
      sum->bytes.in_memory += bytes->in_memory;
      continue;
    }
    // The span of a new object may not be known yet; so this is looked at again, by itself.
    state.is_doubtful = true;
    drop(state, rule);
    *sum = {};
  }
  return {};
}

void TypeCheck::want_arena_bitmap(std::uint32_t map, const HeapObject &array,
                                  const SpanTable &spans) {
  constexpr std::uint64_t kWords = 64; // that rules look at
  if (layout_.pointer_bitmap == PointerBitmap::in_span)
    return;
  if (const auto place = bitmaps(spans).place(spans, array.span, array.start,
                                              std::min(kWords, array.size_bytes / 8)))
    arena_bitmaps_.push_back({*place, map});
}

Result<> TypeCheck::read_arena_bitmaps(AddressSpace &space) {
  std::ranges::sort(arena_bitmaps_, {},
                    [](const ArenaBitmap &bitmap) { return bitmap.place.address; });
  std::vector<WantedRange> ranges;
  for (const ArenaBitmap &bitmap : arena_bitmaps_)
    ranges.push_back({bitmap.place.address, bitmap.place.size_bytes});
  auto visit = [&](std::size_t i, std::span<const std::byte> bytes) {
    MapState &state = states_[arena_bitmaps_[i].map];
    if (bytes.empty())
      return;
    state.pointers = bitmaps_->pointers(bytes, arena_bitmaps_[i].place.first, 64);
    state.has_bitmap = true;
    for (std::uint32_t rule : index_.rules_of(state.set))
      if (index_.rule(rule).kind == CheckKind::pointers && !has_pointers(state, index_.rule(rule)))
        drop(state, rule);
  };
  return read_sorted(space, ranges, kGapBytesMax, visit);
}

// Reads what is wanted from index `first` on.
Result<> TypeCheck::fetch(AddressSpace &space, std::size_t first) {
  fetched_at_.resize(wanted_.size());
  order_.resize(wanted_.size() - first);
  std::iota(order_.begin(), order_.end(), static_cast<std::uint32_t>(first));
  std::erase_if(order_, [this](std::uint32_t i) {
    return fetched_at_[i] || wanted_[i].size_bytes == 0 || !is_in_user_space(wanted_[i].address);
  });
  std::ranges::sort(order_, {}, [this](std::uint32_t i) { return wanted_[i].address; });
  std::vector<WantedRange> ranges;
  ranges.reserve(order_.size());
  for (std::uint32_t i : order_)
    ranges.push_back(wanted_[i]);
  return read_sorted(space, ranges, kGapBytesMax,
                     [&](std::size_t i, std::span<const std::byte> bytes) {
                       if (bytes.empty())
                         return;
                       fetched_at_[order_[i]] = static_cast<std::uint32_t>(fetched_bytes_.size());
                       fetched_bytes_.insert(fetched_bytes_.end(), bytes.begin(), bytes.end());
                     });
}

Result<> TypeCheck::check_waiting_keys(AddressSpace &space) {
  fetched_bytes_.clear();
  fetched_at_.clear();
  TRY(fetch(space, 0));
  for (unsigned round = 0; round < kRoundsMax; ++round) {
    std::size_t first = wanted_.size();
    for (WaitingKey &key : waiting_)
      if (index_.hash(key.rule).has_interfaces() && !key.is_complete)
        want_more(key);
    if (wanted_.size() == first)
      break;
    TRY(fetch(space, first));
  }
  for (std::size_t first = 0, last = 0; first < waiting_.size(); first = last) {
    for (last = first + 1; last < waiting_.size() && waiting_[last].map == waiting_[first].map &&
                           waiting_[last].rule == waiting_[first].rule;)
      ++last;
    check_waiting_keys_of(std::span{waiting_}.subspan(first, last - first));
  }
  return {};
}

// What an interface holds is known now, and may refer to more.
void TypeCheck::want_more(WaitingKey &key) {
  std::vector<WantedRange> more;
  auto fetched = fetched_of(key);
  key.is_complete =
      !fetched || !index_.hash(key.rule).add_wanted(key_of(key), more, *fetched) || more.empty() ||
      std::ranges::any_of(more, [](auto &range) { return range.size_bytes > kFetchedBytesMax; });
  if (key.is_complete)
    return;
  // All that one key wants lies together.
  fetched_at_.resize(wanted_.size());
  for (std::uint32_t i = 0; i < key.wanted_count; ++i) {
    wanted_.push_back(WantedRange{wanted_[key.first_wanted + i]});
    fetched_at_.push_back(std::optional{fetched_at_[key.first_wanted + i]});
  }
  wanted_.insert(wanted_.end(), more.begin(), more.end());
  key.wanted_count += static_cast<std::uint32_t>(more.size());
  key.first_wanted = static_cast<std::uint32_t>(wanted_.size()) - key.wanted_count;
}

std::span<const std::byte> TypeCheck::key_of(const WaitingKey &key) const {
  return std::span{key_bytes_}.subspan(key.key, key.key_bytes);
}

std::optional<TypeCheck::Fetched> TypeCheck::fetched_of(const WaitingKey &key) const {
  Fetched fetched;
  for (std::uint32_t i = key.first_wanted; i < key.first_wanted + key.wanted_count; ++i) {
    if (wanted_[i].size_bytes != 0 && !fetched_at_[i])
      return std::nullopt;
    fetched.push_back(wanted_[i].size_bytes == 0 ? std::span<const std::byte>{}
                                                 : std::span{fetched_bytes_}.subspan(
                                                       *fetched_at_[i], wanted_[i].size_bytes));
  }
  return fetched;
}

TypeCheck::KeyAnswer TypeCheck::ask(const WaitingKey &key) const {
  auto fetched = fetched_of(key);
  if (!fetched)
    return KeyAnswer::refuses; // what a key points to can be read
  bool is_indirect = index_.rule(key.rule).key_bytes != 0;
  const KeyHash &key_hash = index_.hash(key.rule);
  auto hash = is_indirect ? key_hash.hash(fetched->front(), key.seed)
                          : key_hash.hash(key_of(key), key.seed, *fetched);
  if (!hash)
    return KeyAnswer::tells_nothing;
  return key.place.accepts(*hash) ? KeyAnswer::agrees : KeyAnswer::refuses;
}

void TypeCheck::check_waiting_keys_of(std::span<const WaitingKey> keys) {
  MapState &state = states_[keys.front().map];
  std::uint32_t rule = keys.front().rule;
  if (!index_.has_rule(state.set, rule))
    return;
  unsigned agreed = 0;
  for (const WaitingKey &key : keys) {
    KeyAnswer answer = ask(key);
    if (answer == KeyAnswer::refuses) {
      drop(state, rule);
      return;
    }
    agreed += answer == KeyAnswer::agrees;
  }
  state.keys_checked = std::max(state.keys_checked, static_cast<std::uint8_t>(agreed));
}

// Between the read of a header and that of what it points to, the map may have moved on, and its
// array may have become another object.
Result<> TypeCheck::find_changed(std::span<const HeaderCandidate> candidates, AddressSpace &space,
                                 std::span<DecodedMap> maps) {
  std::vector<WantedRange> ranges;
  std::vector<std::uint32_t> asked;
  for (std::uint32_t map = 0; map < states_.size(); ++map)
    if (states_[map].set != 0 && maps[map].outcome == DecodeOutcome::pending) {
      ranges.push_back({candidates[map].address, layout_.header_size});
      asked.push_back(map);
    }
  bool is_swiss = layout_.maps == MapImplementation::swiss;
  std::uint32_t contents_at = is_swiss ? layout_.swiss.dir_ptr : layout_.classic.buckets;
  return read_sorted(
      space, ranges, kHeaderGapBytesMax, [&](std::size_t i, std::span<const std::byte> bytes) {
        DecodedMap &map = maps[asked[i]];
        if (bytes.empty() || load<std::uint64_t>(bytes, contents_at) != map.contents ||
            (is_swiss ? load<std::uint64_t>(bytes, layout_.swiss.seed)
                      : load<std::uint32_t>(bytes, layout_.classic.hash0)) != map.sample.seed)
          map.contradict();
      });
}

// Computed with keys that are not this process's, hashes would refuse every map.
void TypeCheck::decide_on_trust() {
  if (is_trusted_ || !is_hashing_)
    return;
  std::uint64_t refused = 0;
  for (const MapState &state : states_) {
    is_trusted_ |= state.keys_checked >= kKeysForTrust;
    keys_agreed_ += state.keys_checked;
    refused += state.was_refused && state.keys_checked == 0;
  }
  maps_refused_ += refused;
  is_trusted_ |= keys_agreed_ >= 2 * kKeysForTrust && keys_agreed_ / 4 >= maps_refused_;
  is_sure_ = is_trusted_ || maps_refused_ == 0;
  if (!is_trusted_ && maps_refused_ > kRefusedMapsMax)
    can_hash_ = false;
}

void TypeCheck::judge(MapState &state, DecodedMap &map) {
  MapSample &sample = map.sample;
  if (!state.is_started || map.outcome != DecodeOutcome::pending)
    return;
  // All that could hold such an array refuse the keys in it.
  bool is_disproved = state.set == 0 && state.was_refused && !state.was_misshapen &&
                      !state.has_group_name && index_.can_hash_all(state.fitting);
  if (state.is_contradicted || is_disproved) {
    map.contradict();
    return;
  }
  // What kept its shape and lost all its types, or those that could be proved, may have been
  // changing.
  map.is_doubtful = state.is_doubtful ||
                    (state.set == 0 && state.fitting != 0 && !state.has_group_name) ||
                    (state.was_refused && state.keys_checked == 0);
  std::uint32_t set = state.has_group_name ? state.set : index_.without_shapes(state.set);
  sample.types = set;
  if (state.keys_checked > 0 && set != 0)
    sample.evidence = MapEvidence::proved;
  if (sample.group_bytes == 0)
    sample.group_bytes = index_.group_bytes(set);
  // The first that is left: a map that holds pointers of its own to objects of just that size is
  // rarer.
  for (std::uint32_t rule : index_.rules_of(set))
    if (auto sum = std::ranges::find(state.pointees, rule, &PointeeSum::rule);
        sum != state.pointees.end()) {
      sample.bytes.indirect = sum->bytes.heap_bytes;
      sum->bytes.in_memory.add_to(sample);
      break;
    }
}

Result<> TypeCheck::finish(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                           std::span<DecodedMap> maps) {
  TRY(read_arena_bitmaps(reader.space()));
  TRY(check_waiting_keys(reader.space()));
  TRY(find_changed(candidates, reader.space(), maps));
  decide_on_trust();
  for (std::size_t map = 0; map < states_.size(); ++map)
    judge(states_[map], maps[map]);
  return {};
}

} // namespace mapscope
