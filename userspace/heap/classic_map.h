// A classic map while it is decoded: what its header says, and what its buckets have shown so far.
#pragma once

#include <cstdint>

#include "heap/decoded_map.h"
#include "heap/span_table.h"

namespace mapscope {

inline constexpr std::uint8_t kExactOverflowLogMax = 15; // above, noverflow is an estimate
inline constexpr std::uint8_t kSpareBucketsLogMin = 4;   // from here on, arrays have spare buckets

struct BucketArray {
  std::uint64_t address = 0;
  HeapObject object;
  std::uint64_t bucket_count = 0; // without spare ones
  std::uint64_t spare_count = 0;

  // Spare buckets fill what rounding up leaves of the array.
  BucketArray with_spare(std::uint8_t b, std::uint32_t bucket_bytes) const {
    BucketArray array = *this;
    if (b >= kSpareBucketsLogMin)
      array.spare_count = object.data_bytes() / bucket_bytes - bucket_count;
    return array;
  }

  // Whether a spare bucket is at that address.
  bool has_spare(std::uint64_t at, std::uint32_t bucket_bytes) const {
    std::uint64_t spare = at - address - bucket_count * bucket_bytes;
    return spare < spare_count * bucket_bytes && spare % bucket_bytes == 0;
  }
};

struct ClassicMap {
  DecodedMap result;
  std::uint64_t extra = 0;
  BucketArray buckets, old;
  std::uint64_t live_count = 0;
  std::uint64_t overflow_count = 0, old_overflow_count = 0; // links followed
  std::uint32_t bucket_bytes = 0;
  std::uint64_t type_word = 0; // of the malloc header of the buckets
  std::uint16_t noverflow = 0;
  std::uint8_t b = 0;

  bool is_pending() const { return result.outcome == DecodeOutcome::pending; }
  bool is_overflow_exact() const { return b <= kExactOverflowLogMax; }
  // Of overflow buckets that are no spare ones: spare ones are used up first. Go source:
  // runtime/map.go, newoverflow.
  std::uint64_t overflow_bytes_told(bool has_malloc_headers) const {
    std::uint64_t spare_count = buckets.spare_count;
    return noverflow <= spare_count
               ? 0
               : (noverflow - spare_count) *
                     heap_bytes(bucket_bytes, buckets.object.has_pointers, has_malloc_headers);
  }
  // More links than these are a cycle or no chains at all.
  std::uint64_t overflow_count_max() const {
    return is_overflow_exact() ? noverflow : buckets.bucket_count;
  }
};

// Buckets that makeBucketArray asks the heap for; it then uses what rounding up leaves.
inline std::uint64_t wanted_buckets(std::uint8_t b) {
  std::uint64_t count = std::uint64_t{1} << b;
  return b < kSpareBucketsLogMin ? count : count + (count >> kSpareBucketsLogMin);
}

} // namespace mapscope
