// The states of a cell and their order. Go source: runtime/map.go, the constants from emptyRest on.
#include "heap/classic_buckets.h"

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint8_t kEmptyRest = 0; // and all cells behind it, too
constexpr std::uint8_t kEvacuatedX = 2, kEvacuatedEmpty = 4;
constexpr std::uint8_t kMinTopHash = 5; // the first of a live cell

} // namespace

BucketCells look_at_bucket(std::uint64_t tophash) {
  if (tophash == 0)
    return {.is_valid = true};
  auto is_moved = [](std::uint8_t cell) { return cell >= kEvacuatedX && cell <= kEvacuatedEmpty; };
  BucketCells cells{.is_evacuated = is_moved(static_cast<std::uint8_t>(tophash & 0xff)),
                    .is_valid = true};
  bool is_rest = false;
  for (int i = 0; i < 8; ++i) {
    auto cell = static_cast<std::uint8_t>(tophash >> (8 * i) & 0xff);
    if ((is_rest && cell != kEmptyRest) || is_moved(cell) != cells.is_evacuated)
      cells.is_valid = false;
    is_rest |= cell == kEmptyRest;
    cells.live_count += cell >= kMinTopHash;
  }
  return cells;
}

bool could_be_buckets(std::span<const std::byte> bytes, std::uint32_t bucket_bytes,
                      std::uint64_t bucket_count, const BucketExpectation &expected) {
  std::uint64_t live = 0, overflow = 0, bucket = 0;
  for (std::uint64_t at = 0; bucket < bucket_count && at + bucket_bytes <= bytes.size();
       ++bucket, at += bucket_bytes) {
    BucketCells cells = look_at_bucket(load<std::uint64_t>(bytes, at));
    auto pointer = load<std::uint64_t>(bytes, at + bucket_bytes - 8);
    live += cells.live_count;
    overflow += pointer != 0;
    if (!cells.is_valid || cells.is_evacuated || pointer % 8 != 0 || pointer >> 47 != 0 ||
        overflow > expected.overflow_max || live > expected.live_max)
      return false;
  }
  bool is_complete = bucket == bucket_count && expected.has_all && overflow == 0;
  return bucket > 0 && (!is_complete || live == expected.live_max);
}

} // namespace mapscope
