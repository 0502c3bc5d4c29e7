// The map types of a process, and the tests that tell one from another by what lies in the memory
// of a map. Types that no test tells apart share their tests.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "heap/go_types.h"
#include "heap/heap_layout.h"
#include "heap/key_hash.h"
#include "heap/span_table.h"
#include "heap/type_sets.h"

namespace mapscope {

// In the order in which they are tried: what rules out most for least comes first.
enum class CheckKind : std::uint8_t {
  group_bytes, // control words lie so far apart
  pointers,    // what the collector takes for pointers
  hash,        // keys hash to where they lie
  zeros,       // nothing lies where neither key nor element is
  booleans,    // elements are 0 or 1
  pointees,    // keys or elements that are held by pointer are heap objects of that size
};

// Where the entries of a group or bucket lie.
struct EntryPlaces {
  std::uint32_t group_bytes = 0;
  std::uint32_t keys_offset = 0, key_stride = 0, elements_offset = 0, element_stride = 0;
  std::uint32_t key_bytes = 0, element_bytes = 0; // in the group
  friend auto operator<=>(const EntryPlaces &, const EntryPlaces &) = default;
};

struct TypeCheckRule {
  CheckKind kind = CheckKind::group_bytes;
  EntryPlaces places; // as far as the kind looks at them
  // pointers: bit i: word i of a group is one.
  std::uint64_t pointer_words = 0;
  // pointees, and keys of hash: what is behind the pointers; 0: no pointer there.
  std::uint64_t key_bytes = 0, element_bytes = 0;
  std::uint64_t key_hash = 0; // hash: equal for key types with one hash
  friend auto operator<=>(const TypeCheckRule &, const TypeCheckRule &) = default;
};

class TypeIndex {
public:
  static constexpr std::uint32_t kAllTypes = 1; // the set of all, unless there are none

  // `keys`: without them no hash is computed.
  TypeIndex(GoTypes types, const HeapLayout &layout, const std::optional<HashKeys> &keys);

  const std::vector<MapTypeLayout> &types() const { return types_; }
  const TypeSets &sets() const { return sets_; }
  const GoTypes &go_types() const { return go_types_; }
  std::uint32_t all() const { return types_.empty() ? 0 : kAllTypes; }

  // Those of `set` whose arrays of so many groups the heap keeps in such an object.
  std::uint32_t fitting(std::uint32_t set, const HeapObject &array, std::uint64_t group_count);
  // Those of `set` whose groups have this descriptor. Where that is one of a generic shape, also
  // those that the shape may stand for.
  std::uint32_t with_group(std::uint32_t set, std::uint64_t group);
  // Whether a type descriptor could lie there that the linker made.
  bool is_in_executable(std::uint64_t descriptor) const {
    return descriptor - go_types_.memory().start() < go_types_.memory().bytes().size();
  }

  // The map type with that descriptor.
  std::optional<std::uint32_t> number_of(std::uint64_t descriptor) const;
  // The set of that type alone; `set` where no more sets are kept.
  std::uint32_t only(std::uint32_t set, std::uint32_t type);

  // Tests for the types of a set, in the order of kinds.
  std::span<const std::uint32_t> rules_of(std::uint32_t set);
  const TypeCheckRule &rule(std::uint32_t number) const { return rules_[number].rule; }
  const KeyHash &hash(std::uint32_t number) const { return *rules_[number].hash; }
  // To compute the hash, memory has to be read that is not in the group.
  bool needs_memory(std::uint32_t number) const {
    return rules_[number].rule.key_bytes != 0 || rules_[number].hash->needs_memory();
  }
  // Where a rule comes in that order. Pointers are pointees to as many types as may be: that all of
  // them fit by chance is the rarer the more there are.
  std::tuple<CheckKind, unsigned, std::uint32_t> place(std::uint32_t number) const {
    const TypeCheckRule &rule = rules_[number].rule;
    unsigned parts = (rule.key_bytes != 0 ? 1U : 0U) + (rule.element_bytes != 0 ? 1U : 0U);
    return {rule.kind, rule.kind == CheckKind::pointees ? 2 - parts : 0, number};
  }
  // The types of the set that the rule does not apply to: those that are left where it failed.
  std::uint32_t without(std::uint32_t set, std::uint32_t rule);

  bool can_hash_all(std::uint32_t set);
  // Without generic shapes for which a real type stands.
  std::uint32_t without_shapes(std::uint32_t set);
  // What all types of the set have; 0: they differ.
  std::uint32_t group_bytes(std::uint32_t set) { return about(set).group_bytes; }
  bool has_rule(std::uint32_t set, std::uint32_t rule);
  std::uint64_t object_bytes(std::uint64_t size_bytes, bool has_pointers) const {
    return heap_bytes(size_bytes, has_pointers, has_malloc_headers_);
  }

private:
  struct Rule {
    TypeCheckRule rule;
    std::optional<KeyHash> hash;
  };
  // Of a set, worked out when it is asked for.
  struct AboutSet {
    bool is_known = false;
    bool can_hash_all = false;
    std::uint32_t group_bytes = 0;
    std::vector<std::uint32_t> rules;
  };

  void add_rules(const MapTypeLayout &type, const std::optional<HashKeys> &keys);
  void add_hash_rule(const MapTypeLayout &type, const EntryPlaces &places, const HashKeys &keys);
  std::uint32_t rule_number(const TypeCheckRule &rule);
  const AboutSet &about(std::uint32_t set);
  bool has_rule_of(std::uint32_t type, std::uint32_t rule) const;

  GoTypes go_types_;
  bool has_malloc_headers_;
  std::vector<MapTypeLayout> types_;
  std::vector<std::vector<std::uint32_t>> rules_of_type_;          // ascending
  std::vector<bool> can_hash_;                                     // by type
  std::unordered_map<std::uint64_t, std::uint32_t> group_numbers_; // by descriptor
  std::vector<Rule> rules_;
  std::map<TypeCheckRule, std::uint32_t> rule_numbers_;
  TypeSets sets_;
  std::vector<AboutSet> about_;
};

} // namespace mapscope
