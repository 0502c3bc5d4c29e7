// Maps of a batch while ClassicDecoder decodes them, wave by wave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "heap/census_memory.h"
#include "heap/classic_buckets.h"
#include "heap/classic_map.h"
#include "heap/decoded_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"
#include "heap/type_check.h"

namespace mapscope {

enum class ClassicPart : std::uint32_t {
  first,
  buckets,
  old_buckets,
  overflow,
  old_overflow,
  dead_overflow,
  extra,
  overflow_list
};

class ClassicBatch {
public:
  ClassicBatch(const HeapLayout &layout, ObjectReader &reader, const DecodeOptions &options)
      : layout_(layout), reader_(reader), options_(options) {}

  // As ClassicDecoder::decode().
  Result<> decode(std::span<const HeaderCandidate> candidates, std::vector<DecodedMap> &results);

private:
  static constexpr std::uint32_t kPieceBytes = 1 << 18; // of a large array, at once

  Result<> start(const HeaderCandidate &candidate, std::uint32_t index);
  Result<> take(const ObjectRequest &request, std::span<const std::byte> bytes);
  // The first piece of the array of buckets, which has to tell how large these are.
  Result<> take_first(std::uint32_t index, std::span<const std::byte> bytes);
  // The sizes that the buckets of a map may have, into choices_.
  struct SizeChoice {
    std::uint32_t bucket_bytes = 0;
    BucketTotals totals;
  };
  Result<> find_sizes(const ClassicMap &map, std::span<const std::byte> bytes);
  Result<bool> has_overflow_buckets(const ClassicMap &map, std::span<const std::byte> bytes,
                                    std::uint32_t bucket_bytes);
  static void note_remains(ClassicMap &map, std::span<const std::byte> buckets,
                           std::span<const std::byte> array);
  // What these buckets say of the type of their map.
  Result<> take_types(std::uint32_t index, ClassicPart part, std::uint64_t address,
                      std::span<const std::byte> bytes);
  Result<> start_old_and_extra(std::uint32_t index);
  Result<> take_buckets(std::uint32_t index, std::span<const std::byte> bytes, ClassicPart part);
  Result<> follow(std::uint32_t index, std::uint64_t overflow, ClassicPart part);
  Result<> take_extra(std::uint32_t index, std::span<const std::byte> bytes);
  Result<> take_overflow_list(std::uint32_t index, std::span<const std::byte> bytes);
  Result<> ask_object(std::uint32_t index, std::uint64_t address, std::uint32_t size_bytes,
                      ClassicPart part);
  void ask(std::uint32_t index, std::uint64_t address, std::uint64_t size_bytes, std::uint32_t span,
           ClassicPart part) {
    if (next_.size() >= options_.requests_max)
      maps_[index].result.outcome = DecodeOutcome::too_large;
    else
      next_.push_back({address, static_cast<std::uint32_t>(size_bytes), span, index,
                       static_cast<std::uint32_t>(part)});
  }
  void ask_pieces(std::uint32_t index, const BucketArray &array, std::uint64_t first_bucket,
                  ClassicPart part);
  Result<> recall(std::uint32_t index, const HeapObject &object, const RememberedMap &known);
  void finish(ClassicMap &map, DecodedMap &result) const;

  const HeapLayout &layout_;
  ObjectReader &reader_;
  DecodeOptions options_;
  std::vector<ClassicMap> maps_;
  std::vector<ObjectRequest> next_;
  std::vector<SizeChoice> choices_; // of the map that is looked at; their sizes again:
  std::vector<std::uint32_t> fitting_sizes_;
};

} // namespace mapscope
