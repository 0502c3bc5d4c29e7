// The bytes behind keys and elements: what strings, slices, pointers and interfaces in them point
// to, one level deep. What those objects point to in turn is not followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_anatomy.h"
#include "flow/map_type_layout.h"
#include "heap/go_types.h"
#include "heap/runtime_data.h"
#include "heap/span_table.h"
#include "heap/type_leaves.h"

namespace mapscope {

// Entries of one map, each with the same chance, at most so many: keys and elements as they lie in
// their groups. The same map gives the same sample.
class EntrySample {
public:
  // `type` may be null; then nothing is taken.
  EntrySample(const MapTypeLayout *type, std::uint64_t entries_max)
      : type_(type), entries_max_(entries_max) {}

  // The live cells of a group or bucket.
  void take(std::span<const std::byte> group, unsigned live);

  const MapTypeLayout *type() const { return type_; }
  std::uint64_t entry_count() const { return entry_count_; } // that were offered
  std::uint64_t size() const { return size_; }
  std::span<const std::byte> key(std::uint64_t index) const;
  std::span<const std::byte> element(std::uint64_t index) const;

private:
  std::uint64_t entry_bytes() const {
    return type_->key_bytes_in_group() + type_->element_bytes_in_group();
  }
  std::uint64_t random_below(std::uint64_t limit);

  const MapTypeLayout *type_;
  std::uint64_t entries_max_;
  std::uint64_t entry_count_ = 0, size_ = 0, random_ = 0;
  std::vector<std::byte> bytes_;
};

// What in a key and in an element leads elsewhere.
struct EntryLeaves {
  std::vector<TypeLeaf> key, element;
};

// Errors: unsupported (the types of the program could not be read), as AddressSpace::read.
Result<EntryLeaves> leaves_of_entry(AddressSpace &space, const HeapAnchors &anchors,
                                    const BinaryFacts &facts, const MapTypeLayout &type);

// Objects that several entries lead to count once; with every entry read, that is exact. Errors:
// as AddressSpace::read.
Result<PayloadEstimate> estimate_payload(const EntrySample &entries, const EntryLeaves &leaves,
                                         AddressSpace &space, SpanTable &spans);

} // namespace mapscope
