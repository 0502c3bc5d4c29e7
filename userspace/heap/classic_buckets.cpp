// The states of a cell and their order. Go source: runtime/map.go, the constants from emptyRest on.
#include "heap/classic_buckets.h"

#include <algorithm>

#include "base/user_space.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

// emptyRest (0): and all cells behind it, too; emptyOne (1); evacuatedX, evacuatedY and
// evacuatedEmpty (2 to 4); from minTopHash (5) on the cell is live.
constexpr std::uint8_t kEmptyOne = 1, kEvacuatedX = 2, kMinTopHash = 5;

constexpr std::uint64_t kEachByte = 0x0101010101010101, kTopBits = 0x80 * kEachByte;

// The top bit of each byte that is at least `least`, which is at most 0x80.
std::uint64_t at_least(std::uint64_t word, std::uint64_t least) {
  return (((word & ~kTopBits) + (0x80 - least) * kEachByte) | word) & kTopBits;
}

} // namespace

// All eight cells at once, since this is done for every bucket of a process.
BucketCells look_at_bucket(std::uint64_t tophash) {
  std::uint64_t used = at_least(tophash, kEmptyOne);
  std::uint64_t live = at_least(tophash, kMinTopHash);
  std::uint64_t moved = at_least(tophash, kEvacuatedX) & ~live;
  std::uint64_t used_bytes = (used >> 7) * 0xff;
  bool rest_is_last = (used_bytes & (used_bytes + 1)) == 0; // no used cell above an empty rest
  return {.live_count = static_cast<unsigned>((live >> 7) * kEachByte >> 56),
          .has_deletions = (used & ~live & ~moved) != 0,
          .is_evacuated = moved != 0,
          .is_valid = rest_is_last && (moved == 0 || moved == kTopBits)};
}

std::optional<BucketTotals> read_as_buckets(std::span<const std::byte> bytes,
                                            std::uint32_t bucket_bytes, std::uint64_t bucket_count,
                                            const BucketExpectation &expected) {
  BucketTotals totals{.bucket_count =
                          std::min<std::uint64_t>(bytes.size() / bucket_bytes, bucket_count)};
  for (std::uint64_t bucket = 0; bucket < totals.bucket_count; ++bucket) {
    BucketCells cells = look_at_bucket(load<std::uint64_t>(bytes, bucket * bucket_bytes));
    auto pointer = load<std::uint64_t>(bytes, (bucket + 1) * bucket_bytes - 8);
    totals.live_count += cells.live_count;
    totals.overflow_count += pointer != 0;
    totals.has_deletions |= cells.has_deletions;
    if (!cells.is_valid || cells.is_evacuated || pointer % 8 != 0 || !is_in_user_space(pointer) ||
        totals.overflow_count > expected.overflow_max || totals.live_count > expected.live_max)
      return std::nullopt;
  }
  bool is_complete =
      totals.bucket_count == bucket_count && expected.has_all && totals.overflow_count == 0;
  if (totals.bucket_count == 0 || (is_complete && totals.live_count != expected.live_max))
    return std::nullopt;
  return totals;
}

bool has_deleted_keys(std::span<const std::byte> bytes, std::uint32_t bucket_bytes) {
  constexpr std::size_t kBucketsMax = 64; // most of a long array says nothing new
  constexpr std::uint64_t kNotEmpty = 0xfe * kEachByte;
  std::size_t count = std::min(bytes.size() / bucket_bytes, kBucketsMax);
  unsigned found_count = 0;
  for (std::size_t at = 0; at < count * bucket_bytes; at += bucket_bytes) {
    if ((load<std::uint64_t>(bytes, at) & kNotEmpty) != 0)
      continue;
    std::uint64_t keys = 0;
    for (std::size_t offset = 8; offset + 16 <= bucket_bytes; offset += 8)
      keys |= load<std::uint64_t>(bytes, at + offset);
    // An insertion under way has written its key before its tophash, but into one bucket only.
    if (keys != 0 && ++found_count == 2)
      return true;
  }
  return false;
}

} // namespace mapscope
