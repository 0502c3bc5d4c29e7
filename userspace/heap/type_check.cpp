// A map begins with the types that its array has room for, and loses those that its contents
// refuse.
#include "heap/type_check.h"

#include <algorithm>
#include <utility>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr unsigned kKeysOfPiece = 4; // whose hashes are computed: 28 bits have to agree by then
constexpr unsigned kKeysOfMap = 8;
constexpr unsigned kWaitingKeysOfRule = 2; // each costs a read
// Of a batch. Real ones need a tenth of it; who makes many types with long keys proves fewer maps.
constexpr std::uint64_t kWantedBytesMax = 1 << 25;
constexpr std::size_t kWaitingKeysMax = 1 << 18;
constexpr std::uint64_t kGroupsLookedAt = 4;

} // namespace

Result<std::shared_ptr<TypeCheck>> TypeCheck::of(AddressSpace &space, const HeapAnchors &anchors,
                                                 const BinaryFacts &facts,
                                                 const HeapLayout &layout) {
  auto means_nothing = [](const Error &error) {
    return error.code() == Errc::unsupported || error.code() == Errc::not_found ||
           error.code() == Errc::malformed;
  };
  auto types = GoTypes::read(space, anchors.types, facts);
  if (!types) {
    if (means_nothing(types.error()))
      return nullptr;
    return std::unexpected(std::move(types).error());
  }
  std::optional<HashKeys> keys;
  if (anchors.hash_keys.value != 0 && facts.machine == Machine::amd64) {
    auto read = read_value<HashKeys>(space, anchors.hash_keys.value);
    if (read)
      keys = *read;
    else if (!means_nothing(read.error()))
      return std::unexpected(std::move(read).error());
  }
  return std::make_shared<TypeCheck>(TypeIndex(*std::move(types), layout, keys), layout);
}

void TypeCheck::start(std::size_t map_count) {
  states_.assign(map_count, {});
  arena_bitmaps_.clear();
  waiting_.clear();
  wanted_.clear();
  wanted_bytes_ = 0;
  key_bytes_.clear();
  is_sure_ = true;
}

const PointerBitmaps &TypeCheck::bitmaps(const SpanTable &spans) {
  if (!bitmaps_)
    bitmaps_.emplace(spans, layout_);
  return *bitmaps_;
}

void TypeCheck::ask_bitmap(std::uint32_t map, const HeapObject &array, const SpanTable &spans,
                           std::vector<ObjectRequest> &requests) {
  if (layout_.pointer_bitmap != PointerBitmap::in_span)
    return;
  if (const auto place =
          bitmaps(spans).place(spans, array.span, array.start, array.size_bytes / 8)) {
    states_[map].bitmap_first = place->first;
    requests.push_back({place->address, place->size_bytes, array.span, map, kBitmapTag});
  }
}

void TypeCheck::take_bitmap(const ObjectRequest &request, std::span<const std::byte> bytes) {
  MapState &state = states_[request.map];
  if (bytes.size() < request.size_bytes || !bitmaps_)
    return;
  state.pointers = bitmaps_->pointers(bytes, state.bitmap_first, 64);
  state.has_bitmap = true;
}

Result<> TypeCheck::take(std::uint32_t map, const EntryCells &cells, ObjectReader &reader) {
  MapState &state = states_[map];
  if (!state.is_started) {
    want_arena_bitmap(map, cells.array, reader.spans());
    TRY(begin(state, cells, reader));
  }
  if (state.set == 0)
    return {};
  if (!cells.is_overflow()) {
    state.set = index_.fitting(state.set, cells.array, cells.group_count);
    apply_rules(state, cells);
    queue_keys(map, state, cells);
  }
  return count_pointees(state, cells, reader);
}

bool TypeCheck::may_have_groups_of(std::uint32_t map, std::uint32_t group_bytes) {
  return std::ranges::any_of(index_.rules_of(states_[map].set), [&](std::uint32_t number) {
    const TypeCheckRule &rule = index_.rule(number);
    return rule.kind == CheckKind::group_bytes && rule.places.group_bytes == group_bytes;
  });
}

Result<> TypeCheck::begin(MapState &state, const EntryCells &cells, ObjectReader &reader) {
  state.is_started = true;
  state.fitting = state.set = index_.fitting(index_.all(), cells.array, cells.group_count);
  std::uint64_t group = cells.type_word;
  // Large objects have their type in their mspan. There are few of them.
  if (cells.array.has_pointers && cells.array.size_bytes > kSizeClasses.back() &&
      layout_.span.large_type) {
    auto word = read_value<std::uint64_t>(reader.space(), reader.spans().mspan(cells.array.span) +
                                                              *layout_.span.large_type);
    if (!word && word.error().code() != Errc::not_found)
      return std::unexpected(std::move(word).error());
    group = word.value_or(0);
  }
  if (group == 0)
    return {};
  state.has_group_name = true;
  state.set = index_.with_group(state.set, group);
  // A group that this program has, of another size; or no group at all.
  state.is_contradicted = state.set == 0 && index_.is_in_executable(group);
  return {};
}

void TypeCheck::drop(MapState &state, std::uint32_t rule) {
  CheckKind kind = index_.rule(rule).kind;
  if (kind == CheckKind::hash)
    state.was_refused = true;
  else if (kind != CheckKind::group_bytes)
    state.was_misshapen = true;
  state.set = index_.without(state.set, rule);
}

void TypeCheck::apply_rules(MapState &state, const EntryCells &cells) {
  unsigned keys_checked = 0;
  auto rules = index_.rules_of(state.set);
  auto place = [this](std::uint32_t rule) { return index_.place(rule); };
  for (std::size_t i = 0; i < rules.size();) {
    std::uint32_t rule = rules[i];
    if (passes(state, rule, cells, keys_checked)) {
      ++i;
      continue;
    }
    drop(state, rule);
    // The rules of the smaller set are some of these, in the same order.
    rules = index_.rules_of(state.set);
    i = static_cast<std::size_t>(std::ranges::upper_bound(rules, place(rule), {}, place) -
                                 rules.begin());
  }
  state.keys_checked =
      static_cast<std::uint8_t>(std::min(state.keys_checked + keys_checked, kKeysOfMap));
}

bool TypeCheck::passes(MapState &state, std::uint32_t number, const EntryCells &cells,
                       unsigned &keys_checked) {
  const TypeCheckRule &rule = index_.rule(number);
  switch (rule.kind) {
  case CheckKind::group_bytes:
    return cells.group_sizes.empty() ||
           std::ranges::find(cells.group_sizes, rule.places.group_bytes) != cells.group_sizes.end();
  case CheckKind::pointers:
    return !state.has_bitmap || has_pointers(state, rule);
  case CheckKind::hash:
    return !is_hashing_ || index_.needs_memory(number) ||
           check_keys(state, number, cells, keys_checked);
  case CheckKind::zeros:
    return has_zeros_between(rule.places, cells, kGroupsLookedAt);
  case CheckKind::booleans:
    return has_boolean_elements(rule.places, cells, kGroupsLookedAt);
  case CheckKind::pointees:
    return true; // all of them are looked at, in count_pointees()
  }
  return true;
}

bool TypeCheck::has_pointers(const MapState &state, const TypeCheckRule &rule) {
  unsigned words = rule.places.group_bytes / 8;
  std::uint64_t mask = words >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << words) - 1;
  return (state.pointers & mask) == rule.pointer_words;
}

bool TypeCheck::KeyPlace::accepts(std::uint64_t hash) const {
  if (is_classic)
    return control == classic_control(hash) &&
           (bucket_count == 0 || (hash & (bucket_count - 1)) == bucket);
  return control == (hash & 0x7f) &&
         (depth == 0 || hash >> (64 - depth) >> run_log2 == position >> run_log2);
}

// False: a key lies where it can't be of such a type.
bool TypeCheck::check_keys(const MapState &state, std::uint32_t number, const EntryCells &cells,
                           unsigned &keys_checked) const {
  const TypeCheckRule &rule = index_.rule(number);
  const KeyHash &key_hash = index_.hash(number);
  if (state.keys_checked >= kKeysOfMap)
    return true;
  unsigned checked = 0, looked_at = 0;
  bool agrees = for_each_entry(rule.places.group_bytes, cells, [&](const Entry &entry) {
    if (++looked_at > kKeysOfPiece)
      return EntryVisit::stop;
    auto hash = key_hash.hash(mapscope::key_of(rule.places, cells, entry), cells.seed);
    if (!hash)
      return EntryVisit::next; // a NaN
    KeyPlace place{.bucket = cells.first_group + entry.group,
                   .bucket_count = cells.bucket_count,
                   .position = cells.position,
                   .run_log2 = cells.run_log2,
                   .depth = cells.depth,
                   .control = entry.control,
                   .is_classic = cells.is_classic};
    ++checked;
    return place.accepts(*hash) && is_on_probe_path(rule.places.group_bytes, cells, entry, *hash)
               ? EntryVisit::next
               : EntryVisit::fail;
  });
  if (agrees)
    keys_checked = std::max(keys_checked, checked);
  return agrees;
}

void TypeCheck::queue_keys(std::uint32_t map, MapState &state, const EntryCells &cells) {
  if (!is_hashing_ || state.has_waiting_keys)
    return;
  for (std::uint32_t number : index_.rules_of(state.set)) {
    const TypeCheckRule &rule = index_.rule(number);
    if (rule.kind != CheckKind::hash || !index_.needs_memory(number))
      continue;
    if (wanted_bytes_ > kWantedBytesMax || waiting_.size() >= kWaitingKeysMax)
      return;
    unsigned count = 0;
    for_each_entry(rule.places.group_bytes, cells, [&](const Entry &entry) {
      auto key = mapscope::key_of(rule.places, cells, entry);
      std::size_t first = wanted_.size();
      bool is_known = true;
      if (rule.key_bytes != 0)
        wanted_.push_back(
            {load<std::uint64_t>(key, 0), static_cast<std::uint32_t>(rule.key_bytes)});
      else
        is_known = index_.hash(number).add_wanted(key, wanted_);
      bool is_short =
          is_known && std::ranges::all_of(std::span{wanted_}.subspan(first), [](auto &range) {
            return range.size_bytes <= kFetchedBytesMax;
          });
      if (!is_short) {
        wanted_.resize(first);
        return EntryVisit::next;
      }
      for (std::size_t i = first; i < wanted_.size(); ++i)
        wanted_bytes_ += wanted_[i].size_bytes;
      waiting_.push_back({.map = map,
                          .rule = number,
                          .first_wanted = static_cast<std::uint32_t>(first),
                          .wanted_count = static_cast<std::uint32_t>(wanted_.size() - first),
                          .key = static_cast<std::uint32_t>(key_bytes_.size()),
                          .key_bytes = static_cast<std::uint32_t>(key.size()),
                          .seed = cells.seed,
                          .place = {.bucket = cells.first_group + entry.group,
                                    .bucket_count = cells.bucket_count,
                                    .position = cells.position,
                                    .run_log2 = cells.run_log2,
                                    .depth = cells.depth,
                                    .control = entry.control,
                                    .is_classic = cells.is_classic}});
      key_bytes_.insert(key_bytes_.end(), key.begin(), key.end());
      state.has_waiting_keys = true;
      return ++count < kWaitingKeysOfRule ? EntryVisit::next : EntryVisit::stop;
    });
  }
}

} // namespace mapscope
