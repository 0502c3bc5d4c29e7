// What the tophash bytes of classic buckets say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mapscope {

inline constexpr std::uint64_t kBucketOverheadBytes = 16; // tophash and overflow pointer

struct BucketCells {
  unsigned live_count = 0; // none of an evacuated bucket: its entries have moved
  // emptyOne, which only a deletion writes. Those in front of an empty rest become part of it.
  bool has_deletions = false;
  bool is_evacuated = false;
  bool is_valid = false;
};

// `tophash`: the eight bytes at the start of a bucket.
BucketCells look_at_bucket(std::uint64_t tophash);

struct BucketExpectation {
  std::uint64_t overflow_max = 0; // overflow pointers that are not nil
  std::uint64_t live_max = 0;     // entries
  bool has_all = false;           // entries are nowhere but here and in overflow buckets
};

struct BucketTotals {
  std::uint64_t bucket_count = 0; // that the bytes hold whole
  std::uint64_t live_count = 0;
  std::uint64_t overflow_count = 0; // overflow pointers that are not nil
  bool has_deletions = false;
};

// What an array of `bucket_count` buckets of that size holds, as far as these bytes go; nothing
// where they cannot be such buckets. None is evacuated.
std::optional<BucketTotals> read_as_buckets(std::span<const std::byte> bytes,
                                            std::uint32_t bucket_bytes, std::uint64_t bucket_count,
                                            const BucketExpectation &expected);

// Whether deleted keys lie in empty buckets: a deletion clears an element, but no key without
// pointers, while growth and clearing leave zeros. Go source: runtime/map.go, mapdelete, mapclear.
bool has_deleted_keys(std::span<const std::byte> bytes, std::uint32_t bucket_bytes);

} // namespace mapscope
