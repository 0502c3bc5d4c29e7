// Every allocated object that has the size and the pointers of a map header: the candidates of a
// census. Whether they are maps is for the decoders to say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/heap_layout.h"
#include "heap/span_table.h"

namespace mapscope {

inline constexpr std::size_t kHeaderBytesMax = 56;

struct HeaderCandidate {
  std::uint64_t address = 0;
  std::array<std::byte, kHeaderBytesMax> bytes{}; // header_size of them
};

// What a header looks like to the garbage collector.
struct HeaderShape {
  SpanClass span_class;
  std::uint32_t slot_bytes = 0;
  std::uint32_t pointer_words = 0; // bit i: word i is a pointer

  static HeaderShape of(const HeapLayout &layout);
};

class HeaderFinder {
public:
  HeaderFinder(AddressSpace &space, const HeapLayout &layout, const HeapRoot &root,
               const SpanTable &spans)
      : space_(space), layout_(layout), root_(root), spans_(spans),
        shape_(HeaderShape::of(layout)) {}

  const HeaderShape &shape() const { return shape_; }

  // The candidates in these spans (indexes in the table, in the order of their addresses), which
  // are live as far as the runtime has swept. Spans that were swept while they were read are read
  // again. Errors: as AddressSpace::read.
  // `found` is emptied first; who calls often keeps it, since its memory is most of the cost.
  Result<> find(std::span<const std::uint32_t> spans, std::vector<HeaderCandidate> &found);

  // Spans that could not be read, or that would not hold still.
  std::uint64_t unsettled_span_count() const { return unsettled_span_count_; }

private:
  // What decides which slots of a span are live.
  struct SpanState {
    std::uint32_t span = 0;
    SpanFields fields;
    std::uint32_t heap_sweepgen = 0;
    std::array<std::byte, 24> allocated{}, marked{}; // a bit for each slot, 170 at most
    std::array<std::byte, 256> arena_bitmap{};       // of the page, up to Go 1.21

    bool is_unswept() const { return fields.sweepgen == heap_sweepgen - 2; }
  };
  // Candidates of one round, those of states[i] from ends[i - 1] to ends[i].
  struct Round {
    std::vector<SpanState> states;
    std::vector<HeaderCandidate> candidates;
    std::vector<std::size_t> ends;
  };

  // Whether no sweep came between: `now` is in the order of addresses.
  static bool is_same(const SpanState &before, std::span<const SpanState> now);
  Result<> read_round(std::span<const std::uint32_t> spans);
  Result<std::vector<SpanState>> read_fields(std::span<const std::uint32_t> spans);
  Result<> read_bitmaps(std::vector<SpanState> &states);
  Result<> read_arena_bitmaps(std::vector<SpanState> &states);
  bool has_inline_marks(const SpanState &state) const;
  std::uint64_t live_slots(const SpanState &state, std::span<const std::byte> page,
                           std::size_t first) const;
  std::uint32_t pointers_of(const SpanState &state, std::span<const std::byte> page,
                            std::size_t slot) const;
  void take_candidates(const SpanState &state, std::span<const std::byte> page,
                       std::vector<HeaderCandidate> &candidates) const;

  AddressSpace &space_;
  HeapLayout layout_;
  HeapRoot root_;
  const SpanTable &spans_;
  HeaderShape shape_;
  Round round_;
  std::uint64_t unsettled_span_count_ = 0;
};

} // namespace mapscope
