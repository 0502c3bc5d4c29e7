// The walk through a classic map: bucket by bucket along each chain, then the old array.
#include <algorithm>
#include <bit>
#include <vector>

#include "heap/anatomy_walk.h"
#include "heap/bulk_read.h"
#include "heap/classic_buckets.h"
#include "heap/classic_map.h"
#include "heap/group_size.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kPieceBytes = 1 << 18; // of a large array, at once
constexpr std::size_t kChainsShown = 9;        // with 0 to 7 overflow buckets, and with more
constexpr std::uint8_t kMinTopHash = 5;        // from here on a cell is live
constexpr std::uint8_t kSameSizeGrow = 8;

class ClassicWalk {
public:
  explicit ClassicWalk(AnatomyWalk &walk)
      : walk_(walk), at_(walk.layout.classic), bucket_(walk.group_bytes) {}

  Result<> run(std::span<const std::byte> header);

private:
  // The bucket of a map that is on a stack whole.
  Result<> take_on_stack(std::uint64_t address);
  Result<> take_array(const BucketArray &array, bool is_old);
  // A bucket of the array and all that hang on it.
  Result<> take_chain(const BucketArray &array, std::span<const std::byte> bucket, bool is_old);
  Result<> take_bucket(std::span<const std::byte> bucket, bool is_old);
  Result<> take_old(std::uint64_t address, std::uint8_t b);
  Result<> take_extra(std::uint64_t address);

  AnatomyWalk &walk_;
  const ClassicLayout &at_;
  std::vector<std::byte> bucket_; // an overflow bucket
  std::uint64_t links_left_ = 0;  // more than these are a cycle
};

Result<> ClassicWalk::run(std::span<const std::byte> header) {
  auto b = load<std::uint8_t>(header, at_.b);
  auto buckets = load<std::uint64_t>(header, at_.buckets);
  walk_.anatomy.log_buckets = b;
  if (buckets == 0)
    return {};
  walk_.anatomy.chain_lengths.resize(kChainsShown);
  if (walk_.anatomy.map.is_on_stack && !TRY(walk_.reader.object_at(buckets)))
    return take_on_stack(buckets);
  auto object =
      TRY(walk_.take_object(MapPart::buckets, buckets, wanted_buckets(b) * walk_.group_bytes));
  if (!object)
    return {};
  auto bucket_bytes = static_cast<std::uint32_t>(walk_.group_bytes);
  BucketArray array{buckets, *object, std::uint64_t{1} << b, 0};
  TRY(take_array(array.with_spare(b, bucket_bytes), false));
  auto old = load<std::uint64_t>(header, at_.oldbuckets);
  bool keeps_size = (load<std::uint8_t>(header, at_.flags) & kSameSizeGrow) != 0;
  if (old != 0 && (keeps_size || b != 0) && walk_.agrees)
    TRY(take_old(old, static_cast<std::uint8_t>(keeps_size ? b : b - 1)));
  if (auto extra = load<std::uint64_t>(header, at_.extra); extra != 0 && walk_.agrees)
    TRY(take_extra(extra));
  return {};
}

Result<> ClassicWalk::take_on_stack(std::uint64_t address) {
  walk_.parts.add_on_stack(MapPart::buckets, address, walk_.group_bytes);
  ++walk_.anatomy.chain_lengths[0];
  if (walk_.group_bytes != 0) {
    if (TRY(walk_.read(address, bucket_)))
      return take_bucket(bucket_, false);
    return {};
  }
  walk_.live_count = walk_.anatomy.map.len; // its tophash was seen
  return {};
}

Result<> ClassicWalk::take_old(std::uint64_t address, std::uint8_t b) {
  auto object =
      TRY(walk_.take_object(MapPart::old_buckets, address, wanted_buckets(b) * walk_.group_bytes));
  if (!object)
    return {};
  BucketArray array{address, *object, std::uint64_t{1} << b, 0};
  walk_.anatomy.map.old_buckets = array.bucket_count;
  walk_.anatomy.map.evacuated_buckets = 0;
  return take_array(array.with_spare(b, static_cast<std::uint32_t>(walk_.group_bytes)), true);
}

Result<> ClassicWalk::take_array(const BucketArray &array, bool is_old) {
  std::uint64_t bucket_bytes = walk_.group_bytes, a_piece = kPieceBytes / bucket_bytes;
  links_left_ = array.bucket_count * 2 + walk_.anatomy.map.len;
  std::vector<std::byte> piece;
  for (std::uint64_t first = 0; first < array.bucket_count && walk_.agrees; first += a_piece) {
    piece.resize(std::min(a_piece, array.bucket_count - first) * bucket_bytes);
    if (!TRY(walk_.read(array.address + first * bucket_bytes, piece)))
      break;
    for (std::uint64_t at = 0; at < piece.size() && walk_.agrees; at += bucket_bytes) {
      auto bucket = std::span<const std::byte>{piece}.subspan(at, bucket_bytes);
      walk_.anatomy.map.evacuated_buckets +=
          is_old && look_at_bucket(load<std::uint64_t>(bucket, 0)).is_evacuated;
      TRY(take_chain(array, bucket, is_old));
    }
  }
  return {};
}

Result<> ClassicWalk::take_chain(const BucketArray &array, std::span<const std::byte> bucket,
                                 bool is_old) {
  auto bucket_bytes = static_cast<std::uint32_t>(walk_.group_bytes);
  std::size_t length = 0;
  TRY(take_bucket(bucket, is_old));
  auto next = load<std::uint64_t>(bucket, bucket_bytes - 8);
  while (next != 0 && walk_.agrees) {
    if (links_left_-- == 0) {
      walk_.agrees = false;
      return {};
    }
    if (!array.has_spare(next, bucket_bytes))
      TRY(walk_.take_object(is_old ? MapPart::old_buckets : MapPart::overflow_bucket, next,
                            bucket_bytes));
    if (!walk_.agrees || !TRY(walk_.read(next, bucket_)))
      return {};
    TRY(take_bucket(bucket_, is_old));
    next = load<std::uint64_t>(bucket_, bucket_bytes - 8);
    ++length;
  }
  if (!is_old)
    ++walk_.anatomy.chain_lengths[std::min(length, kChainsShown - 1)];
  return {};
}

Result<> ClassicWalk::take_bucket(std::span<const std::byte> bucket, bool is_old) {
  BucketCells cells = look_at_bucket(load<std::uint64_t>(bucket, 0));
  if (!cells.is_valid || (cells.is_evacuated && !is_old)) {
    walk_.agrees = false;
    return {};
  }
  unsigned live = 0;
  for (unsigned cell = 0; cell < kGroupSlots && !cells.is_evacuated; ++cell)
    live |= unsigned{load<std::uint8_t>(bucket, cell) >= kMinTopHash} << cell;
  if (!is_old)
    ++walk_.anatomy.fill[cells.live_count];
  return walk_.take_entries(bucket, live);
}

// mapextra: lists that keep overflow buckets alive whose type has no pointers.
Result<> ClassicWalk::take_extra(std::uint64_t address) {
  std::vector<std::byte> extra(at_.extra_size);
  TRY(walk_.take_object(MapPart::overflow_list, address, extra.size()));
  if (!TRY(walk_.read(address, extra)))
    return {};
  for (std::uint32_t at : {at_.extra_overflow, at_.extra_oldoverflow}) {
    std::array<std::uint64_t, 3> slice{}; // of *bmap
    auto list = load<std::uint64_t>(extra, at);
    if (list == 0)
      continue;
    TRY(walk_.take_object(MapPart::overflow_list, list, sizeof slice));
    if (!TRY(walk_.read(list, std::as_writable_bytes(std::span{slice}))))
      return {};
    if (slice[0] != 0)
      TRY(walk_.take_object(MapPart::overflow_list, slice[0],
                            std::min(slice[2], kHeapBytesMax / 8) * 8));
  }
  return {};
}

} // namespace

Result<> walk_classic(const HeaderCandidate &header, const DecodedMap &decoded, AnatomyWalk &walk) {
  if (decoded.bucket_bytes != 0)
    walk.group_bytes = decoded.bucket_bytes;
  bool may_be_unknown = decoded.contents == 0 || decoded.sample.is_on_stack;
  if (walk.group_bytes < kGroupBytesMin && (!may_be_unknown || walk.group_bytes != 0)) {
    walk.agrees = false;
    return {};
  }
  TRY(ClassicWalk{walk}.run(std::span{header.bytes}.first(walk.layout.header_size)));
  walk.agrees &= walk.live_count == walk.anatomy.map.len;
  return {};
}

} // namespace mapscope
