// What spans say of single objects beside their bytes: the records of sampled allocations among
// them.
//
// Go source: runtime/mheap.go, special, specialprofile, addspecial.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "heap/span_table.h"

namespace mapscope {

class SpecialLists {
public:
  struct Sample {
    std::uint32_t span = 0;   // index in the table
    std::uint64_t object = 0; // start of its slot
    std::uint64_t bucket = 0; // address of the bucket that counts it
    friend auto operator<=>(const Sample &, const Sample &) = default;
  };

  // A function that runs when an object is gone, and what that keeps alive.
  struct Finalizer {
    std::uint64_t object = 0;    // start of its slot
    std::uint64_t functions = 0; // address of three words, some of which may point to the heap
    bool keeps_contents = false; // of the object: a cleanup does not
  };

  // `spans` outlives this. Errors: unsupported (layout not known).
  static Result<SpecialLists> open(AddressSpace &space, const BinaryFacts &facts,
                                   const SpanTable &spans);

  // Of all spans, or of these, at most so many. Errors: as AddressSpace::read.
  Result<std::vector<Sample>> read_all(std::uint64_t samples_max);
  Result<std::vector<Sample>> read(std::span<const std::uint32_t> spans, std::uint64_t samples_max);
  // That these came across.
  const std::vector<Finalizer> &finalizers() const { return finalizers_; }

private:
  struct Layout {
    std::uint32_t specials = 0; // in an mspan
    std::uint32_t size = 0;     // of a specialprofile
    std::uint32_t next = 0, offset = 0, kind = 0, bucket = 0;
    bool is_offset_wide = false; // a word, else two bytes
    std::uint8_t profile_kind = 0, finalizer_kind = 0, cleanup_kind = 0;
  };
  // Where a list goes on.
  struct Place {
    std::uint64_t special = 0;
    std::uint32_t span = 0;
    std::uint64_t offset = 0; // of the one before
  };

  SpecialLists(AddressSpace &space, const Layout &layout, const SpanTable &spans)
      : space_(space), layout_(layout), spans_(spans) {}

  static Result<Layout> layout_of(const BinaryFacts &facts);
  Result<std::vector<Place>> read_heads(std::span<const std::uint32_t> spans);
  // The place behind; nothing at the end.
  std::optional<Place> step(const Place &place, std::span<const std::byte> bytes,
                            std::vector<Sample> &samples);

  AddressSpace &space_;
  Layout layout_;
  const SpanTable &spans_;
  std::vector<Finalizer> finalizers_;
};

} // namespace mapscope
