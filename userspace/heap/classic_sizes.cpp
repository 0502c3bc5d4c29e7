// How large the buckets of a classic map are, and of which type: what the first of them tell.
#include <algorithm>
#include <bit>
#include <optional>

#include "heap/bulk_read.h"
#include "heap/classic_batch.h"
#include "heap/group_size.h"

namespace mapscope {

// Whether the overflow pointers of buckets of this size, if there are any, lead to such buckets.
Result<bool> ClassicBatch::has_overflow_buckets(const ClassicMap &map,
                                                std::span<const std::byte> bytes,
                                                std::uint32_t bucket_bytes) {
  std::uint64_t size_bytes =
      heap_bytes(bucket_bytes, map.buckets.object.has_pointers, layout_.has_malloc_headers());
  BucketArray array = map.buckets.with_spare(map.b, bucket_bytes);
  std::uint64_t count = std::min<std::uint64_t>(bytes.size() / bucket_bytes, array.bucket_count);
  for (std::uint64_t bucket = 0; bucket < count; ++bucket) {
    auto overflow = load<std::uint64_t>(bytes, (bucket + 1) * bucket_bytes - 8);
    if (overflow == 0 || array.has_spare(overflow, bucket_bytes))
      continue;
    auto object = TRY(reader_.object_at(overflow));
    if (!object || object->size_bytes != size_bytes)
      return false;
  }
  return true;
}

Result<> ClassicBatch::find_sizes(const ClassicMap &map, std::span<const std::byte> bytes) {
  BucketExpectation expected{
      .overflow_max = map.overflow_count_max(),
      .live_max = map.result.sample.len,
      .has_all = map.old.address == 0,
  };
  choices_.clear();
  fitting_sizes_.clear();
  auto sizes = possible_group_sizes(map.buckets.object, wanted_buckets(map.b));
  for (std::uint32_t size = sizes.first; size <= sizes.last; size += 8) {
    auto totals = read_as_buckets(bytes, size, map.buckets.bucket_count, expected);
    if (!totals || (totals->overflow_count != 0 && !TRY(has_overflow_buckets(map, bytes, size))))
      continue;
    choices_.push_back({size, *totals});
    fitting_sizes_.push_back(size);
  }
  return {};
}

Result<> ClassicBatch::take_first(std::uint32_t index, std::span<const std::byte> bytes) {
  ClassicMap &map = maps_[index];
  TRY(find_sizes(map, bytes));
  if (choices_.empty()) {
    map.result.contradict();
    return {};
  }
  TRY(take_types(index, ClassicPart::first, map.buckets.address, bytes));
  if (TypeCheck *types = options_.types; types != nullptr && choices_.size() > 1)
    std::ranges::stable_partition(choices_, [&](const SizeChoice &choice) {
      return types->may_have_groups_of(index, choice.bucket_bytes);
    });
  const SizeChoice choice = choices_[options_.attempt % choices_.size()];
  map.bucket_bytes = choice.bucket_bytes;
  map.result.choice_count = static_cast<unsigned>(choices_.size());
  if (choices_.size() == 1)
    map.result.sample.group_bytes = map.bucket_bytes;
  map.buckets = map.buckets.with_spare(map.b, map.bucket_bytes);
  std::uint64_t here = choice.totals.bucket_count;
  note_remains(map, bytes.first(here * map.bucket_bytes), bytes);
  map.result.sample.history.has_deletions |= choice.totals.has_deletions;
  if (choice.totals.overflow_count == 0)
    map.live_count += choice.totals.live_count; // nothing to follow
  else
    TRY(take_buckets(index, bytes.first(here * map.bucket_bytes), ClassicPart::buckets));
  ask_pieces(index, map.buckets, here, ClassicPart::buckets);
  return start_old_and_extra(index);
}

// What an emptied map, and what one that was never filled, has in its array.
void ClassicBatch::note_remains(ClassicMap &map, std::span<const std::byte> buckets,
                                std::span<const std::byte> array) {
  MapSample &sample = map.result.sample;
  // Looked for where fewer are left than growth leaves: half of 6.5 in 8.
  if (sample.len * 4 < map.buckets.bucket_count * 13)
    sample.history.has_deletions |= has_deleted_keys(buckets, map.bucket_bytes);
  // Buckets of an empty map may be all zero, and so is any object that nobody has written.
  bool is_zero = sample.len == 0 && map.old.address == 0 && map.extra == 0 &&
                 std::ranges::all_of(array, [](std::byte byte) { return byte == std::byte{0}; });
  if (is_zero)
    sample.evidence = MapEvidence::plausible;
}

Result<> ClassicBatch::take_types(std::uint32_t index, ClassicPart part, std::uint64_t address,
                                  std::span<const std::byte> bytes) {
  ClassicMap &map = maps_[index];
  if (options_.types == nullptr || !map.is_pending() || part == ClassicPart::dead_overflow)
    return {};
  EntryCells cells{.array = map.buckets.object,
                   .group_count = wanted_buckets(map.b),
                   .bytes = bytes,
                   .seed = map.result.sample.seed,
                   .type_word = map.type_word,
                   .is_classic = true};
  if (part == ClassicPart::overflow || part == ClassicPart::old_overflow) {
    cells.held_count = 1;
    return options_.types->take(index, cells, reader_);
  }
  const BucketArray &array = part == ClassicPart::old_buckets ? map.old : map.buckets;
  cells.array = array.object;
  cells.bucket_count = array.bucket_count;
  cells.held_count = array.bucket_count;
  if (part == ClassicPart::first) {
    cells.group_sizes = fitting_sizes_;
  } else {
    cells.first_group = (address - array.address) / map.bucket_bytes;
    cells.held_count -= cells.first_group;
    cells.group_sizes = {&map.bucket_bytes, 1};
  }
  if (part == ClassicPart::old_buckets)
    cells.group_count =
        wanted_buckets(static_cast<std::uint8_t>(std::countr_zero(array.bucket_count)));
  return options_.types->take(index, cells, reader_);
}

} // namespace mapscope
