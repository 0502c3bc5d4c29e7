// What the walk knows of each object of the heap: by which pattern it was reached and from which
// word. Eight bytes for each slot of spans with pointers, and no page of them before the walk comes
// there.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "heap/span_table.h"

namespace mapscope {

enum class SlotState : std::uint8_t {
  unseen,
  weak,    // followed without a type, or by one of generic code: a real type may come
  partial, // parts of it have been followed by their types
  whole,   // all that the collector follows in it has been followed by its type
};

// A slot of a span with pointers.
struct SlotRef {
  std::uint32_t span = 0;  // index in SpanTable
  std::uint32_t index = 0; // in the table of slots
  std::uint32_t slot = 0;  // in the span
  std::uint64_t start = 0;
};

class SlotTable {
public:
  static constexpr std::uint32_t kPatternMax = (1U << 30) - 1;

  // Spans beyond `bytes_max` of memory are left out. `maps`: as of GraphWalk.
  SlotTable(const SpanTable &spans, std::span<const std::uint64_t> maps, std::uint64_t bytes_max);

  enum class Place { nowhere, no_pointers, slot }; // of an address
  Place find(std::uint64_t address, SlotRef &into) const;
  // As SpanTable has it.
  HeapObject object(const SlotRef &slot) const;

  SlotState state(const SlotRef &slot) const {
    return static_cast<SlotState>(patterns_[slot.index] >> 30);
  }
  std::uint32_t pattern(const SlotRef &slot) const { return patterns_[slot.index] & kPatternMax; }
  std::uint64_t word(const SlotRef &slot) const;
  // Whether the words that led to what holds `word` pass the slot. An object that got its type late
  // may have led to the word that says it: with that as its own, the words to it would be a circle
  // and end in no root. True as well where the way is long.
  bool leads_back(const SlotRef &slot, std::uint64_t word) const;
  void set(const SlotRef &slot, SlotState state, std::uint32_t pattern, std::uint64_t word);
  void set_state(const SlotRef &slot, SlotState state) {
    patterns_[slot.index] = pattern(slot) | std::uint32_t{static_cast<std::uint8_t>(state)} << 30;
  }

  // Index of the map whose header begins exactly there.
  std::optional<std::uint32_t> map_at(const SlotRef &slot, std::uint64_t address) const;

  std::uint64_t left_out_count() const { return left_out_count_; } // spans

private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kOutside = 1U << 31; // of a word: index in outside_

  struct Span {
    std::uint64_t start = 0;
    std::uint32_t elem_bytes = 0; // 0: one large object
    std::uint32_t slots = kNone;  // index of its first one; kNone: it has no pointers
    std::uint32_t words = 0;      // index of its first one
    std::uint32_t maps = kNone;   // index of its first slot in map_of_slot_
    std::uint16_t elem_count = 0;
    bool is_left_out = false;
  };
  struct Large {
    std::uint64_t start = 0, end = 0;
    std::uint32_t span = 0;
  };
  struct Free {
    void operator()(std::uint32_t *words) const { std::free(words); }
  };
  using Column = std::unique_ptr<std::uint32_t[], Free>;

  std::optional<std::uint32_t> find_span(std::uint64_t address) const;
  void add_maps(std::span<const std::uint64_t> maps);
  std::uint32_t pack_word(std::uint64_t address);

  const SpanTable &table_;
  std::vector<Span> spans_;  // as in the table
  std::vector<Large> large_; // in the order of addresses; the table knows their first page only
  Column patterns_, words_;  // by slot
  std::vector<std::uint64_t> outside_; // words of roots
  std::vector<std::uint32_t> map_of_slot_;
  std::uint64_t left_out_count_ = 0;
};

} // namespace mapscope
