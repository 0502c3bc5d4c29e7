// Turns what descriptors say into tests of memory.
#include "heap/type_index.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <utility>

#include "go/size_classes.h"

namespace mapscope {
namespace {

// The kinds of questions that TypeSets remembers the answers of.
enum class Question : std::uint64_t { rule, fit, group, shapes };

std::uint64_t question(Question kind, std::uint64_t about) {
  return static_cast<std::uint64_t>(kind) << 60 | about;
}

constexpr std::uint64_t kMaskedBytesMax = 512; // objects above have a malloc header, or no bitmap

// Keys that are hashed as memory of their size. Go source: cmd/compile/internal/reflectdata/alg.go.
bool is_hashed_as_memory(GoKind kind) {
  return (kind >= GoKind::boolean && kind <= GoKind::uintptr) || kind == GoKind::channel ||
         kind == GoKind::pointer || kind == GoKind::unsafe_pointer;
}

} // namespace

TypeIndex::TypeIndex(GoTypes types, const HeapLayout &layout, const std::optional<HashKeys> &keys)
    : go_types_(std::move(types)), has_malloc_headers_(layout.has_malloc_headers()),
      types_(go_types_.map_types()) {
  for (const MapTypeLayout &type : types_) {
    group_numbers_.emplace(type.group.value, static_cast<std::uint32_t>(group_numbers_.size()));
    add_rules(type, keys);
  }
  std::vector<std::uint32_t> all(types_.size());
  std::iota(all.begin(), all.end(), 0U);
  sets_.intern(std::move(all));
}

std::uint32_t TypeIndex::rule_number(const TypeCheckRule &rule) {
  auto [place, is_new] = rule_numbers_.emplace(rule, static_cast<std::uint32_t>(rules_.size()));
  if (is_new)
    rules_.push_back({rule, std::nullopt});
  return place->second;
}

void TypeIndex::add_rules(const MapTypeLayout &type, const std::optional<HashKeys> &keys) {
  rules_of_type_.emplace_back();
  can_hash_.push_back(false);
  auto add = [this](const TypeCheckRule &rule) {
    rules_of_type_.back().push_back(rule_number(rule));
  };
  EntryPlaces places{.group_bytes = static_cast<std::uint32_t>(type.type.group_bytes),
                     .keys_offset = type.keys_offset,
                     .key_stride = type.key_stride,
                     .elements_offset = type.elements_offset,
                     .element_stride = type.element_stride,
                     .key_bytes = static_cast<std::uint32_t>(type.key_bytes_in_group()),
                     .element_bytes = static_cast<std::uint32_t>(type.element_bytes_in_group())};
  add({.kind = CheckKind::group_bytes, .places = {.group_bytes = places.group_bytes}});
  if (auto words = go_types_.pointer_words(type.group);
      words && type.type.group_has_pointers && words->size() * 8 <= kMaskedBytesMax) {
    std::uint64_t mask = 0;
    for (std::size_t word = 0; word < words->size(); ++word)
      mask |= std::uint64_t{(*words)[word]} << word;
    add({.kind = CheckKind::pointers,
         .places = {.group_bytes = places.group_bytes},
         .pointer_words = mask});
  }
  if (keys)
    add_hash_rule(type, places, *keys);
  add({.kind = CheckKind::zeros, .places = places});
  if (static_cast<GoKind>(type.element.kind) == GoKind::boolean && places.element_bytes == 1)
    add({.kind = CheckKind::booleans, .places = places});
  if (type.type.key_is_indirect || type.type.element_is_indirect)
    add({.kind = CheckKind::pointees,
         .places = places,
         .key_bytes = type.type.key_is_indirect ? type.type.key_bytes : 0,
         .element_bytes = type.type.element_is_indirect ? type.type.element_bytes : 0});
  std::ranges::sort(rules_of_type_.back());
}

void TypeIndex::add_hash_rule(const MapTypeLayout &type, const EntryPlaces &places,
                              const HashKeys &keys) {
  auto key_type = go_types_.memory().word(type.descriptor.value + TypeFields::kMapKey);
  if (!key_type)
    return;
  auto kind = static_cast<GoKind>(type.key.kind);
  std::uint64_t hash = is_hashed_as_memory(kind) ? type.key.size_bytes
                       : kind == GoKind::string  ? 0 // the name of the type does not matter
                                                 : *key_type;
  TypeCheckRule rule{.kind = CheckKind::hash,
                     .places = {.group_bytes = places.group_bytes,
                                .keys_offset = places.keys_offset,
                                .key_stride = places.key_stride,
                                .key_bytes = places.key_bytes},
                     .key_bytes = type.type.key_is_indirect ? type.type.key_bytes : 0,
                     .key_hash = hash};
  auto key_hash = KeyHash::of(go_types_, {*key_type}, keys);
  // What a key behind a pointer points to in turn would take one more read.
  if (!key_hash || (type.type.key_is_indirect && key_hash->needs_memory()))
    return;
  std::uint32_t number = rule_number(rule);
  rules_[number].hash = std::move(key_hash);
  rules_of_type_.back().push_back(number);
  can_hash_.back() = true;
}

std::uint32_t TypeIndex::fitting(std::uint32_t set, const HeapObject &array,
                                 std::uint64_t group_count) {
  std::uint64_t about = array.size_bytes / 8 << 8 |
                        static_cast<std::uint64_t>(std::bit_width(group_count)) << 1 |
                        std::uint64_t{array.has_pointers};
  return sets_.narrow(set, question(Question::fit, about), [&](std::uint32_t type) {
    const MapType &map = types_[type].type;
    return map.group_has_pointers == array.has_pointers && map.group_bytes != 0 &&
           group_count <= kHeapBytesMax / map.group_bytes &&
           heap_bytes(map.group_bytes * group_count, array.has_pointers, has_malloc_headers_) ==
               array.size_bytes;
  });
}

std::uint32_t TypeIndex::with_group(std::uint32_t set, std::uint64_t group) {
  auto number = group_numbers_.find(group);
  if (number == group_numbers_.end())
    return 0;
  // What the shapes of that group look like, once somebody asks.
  std::optional<std::set<std::vector<std::uint32_t>>> shapes;
  return sets_.narrow(set, question(Question::group, number->second), [&](std::uint32_t type) {
    auto is_named = [&](std::uint32_t other) { return types_[other].group.value == group; };
    if (!shapes) {
      shapes.emplace();
      for (std::uint32_t other = 0; other < types_.size(); ++other)
        if (types_[other].is_shape && is_named(other))
          shapes->insert(rules_of_type_[other]);
    }
    return is_named(type) || shapes->contains(rules_of_type_[type]);
  });
}

bool TypeIndex::has_rule_of(std::uint32_t type, std::uint32_t rule) const {
  return std::ranges::binary_search(rules_of_type_[type], rule);
}

std::uint32_t TypeIndex::without(std::uint32_t set, std::uint32_t rule) {
  return sets_.narrow(set, question(Question::rule, rule),
                      [&](std::uint32_t type) { return !has_rule_of(type, rule); });
}

std::uint32_t TypeIndex::without_shapes(std::uint32_t set) {
  auto is_shape = [this](std::uint32_t type) { return types_[type].is_shape; };
  std::optional<std::set<std::vector<std::uint32_t>>> real; // once somebody asks
  return sets_.narrow(set, question(Question::shapes, 0), [&](std::uint32_t type) {
    if (!real) {
      real.emplace();
      for (std::uint32_t other : sets_[set])
        if (!is_shape(other))
          real->insert(rules_of_type_[other]);
    }
    return !is_shape(type) || !real->contains(rules_of_type_[type]);
  });
}

const TypeIndex::AboutSet &TypeIndex::about(std::uint32_t set) {
  if (set >= about_.size())
    about_.resize(sets_.size());
  AboutSet &about = about_[set];
  if (about.is_known)
    return about;
  about.is_known = about.can_hash_all = true;
  for (bool is_first = true; std::uint32_t type : sets_[set]) {
    about.rules.insert(about.rules.end(), rules_of_type_[type].begin(), rules_of_type_[type].end());
    about.can_hash_all &= can_hash_[type];
    auto group_bytes = static_cast<std::uint32_t>(types_[type].type.group_bytes);
    about.group_bytes = is_first || about.group_bytes == group_bytes ? group_bytes : 0;
    is_first = false;
  }
  std::ranges::sort(about.rules, {}, [this](std::uint32_t number) { return place(number); });
  auto repeated = std::ranges::unique(about.rules);
  about.rules.erase(repeated.begin(), repeated.end());
  return about;
}

std::span<const std::uint32_t> TypeIndex::rules_of(std::uint32_t set) { return about(set).rules; }
bool TypeIndex::can_hash_all(std::uint32_t set) { return about(set).can_hash_all; }

bool TypeIndex::has_rule(std::uint32_t set, std::uint32_t rule) {
  const auto &rules = about(set).rules;
  return std::ranges::find(rules, rule) != rules.end();
}

std::optional<std::uint32_t> TypeIndex::number_of(std::uint64_t descriptor) const {
  auto type = std::ranges::lower_bound(types_, ProcessAddress{descriptor}, {},
                                       &MapTypeLayout::descriptor); // in the order of addresses
  if (type == types_.end() || type->descriptor.value != descriptor)
    return std::nullopt;
  return static_cast<std::uint32_t>(type - types_.begin());
}

std::uint32_t TypeIndex::only(std::uint32_t set, std::uint32_t type) {
  std::uint32_t result = sets_.intern({type});
  return result < sets_.size() ? result : set;
}

} // namespace mapscope
