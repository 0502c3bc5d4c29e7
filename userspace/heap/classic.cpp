// The rules that tie header, buckets, overflow and old buckets of a classic map to each other.
#include "heap/classic.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "heap/bulk_read.h"
#include "heap/classic_batch.h"
#include "heap/classic_header.h"
#include "heap/group_size.h"

namespace mapscope {

Result<> ClassicBatch::decode(std::span<const HeaderCandidate> candidates,
                              std::vector<DecodedMap> &results) {
  maps_.resize(candidates.size());
  if (options_.types != nullptr)
    options_.types->start(candidates.size());
  for (std::uint32_t i = 0; i < candidates.size(); ++i)
    TRY(start(candidates[i], i));
  while (!next_.empty()) {
    std::vector<ObjectRequest> wave = std::exchange(next_, {});
    Result<> taken;
    TRY(reader_.read(wave, [&](const ObjectRequest &request, std::span<const std::byte> bytes) {
      if (auto result = take(request, bytes); !result && taken)
        taken = std::move(result);
    }));
    TRY(std::move(taken));
  }
  results.clear();
  for (const ClassicMap &map : maps_)
    results.push_back(map.result);
  if (options_.types != nullptr)
    TRY(options_.types->finish(candidates, reader_, results));
  for (std::size_t i = 0; i < maps_.size(); ++i)
    finish(maps_[i], results[i]);
  return {};
}

Result<> ClassicBatch::start(const HeaderCandidate &candidate, std::uint32_t index) {
  ClassicMap &map = maps_[index];
  if (!parse_classic_header(layout_, candidate, map)) {
    map.result.outcome = DecodeOutcome::no_header;
    return {};
  }
  reader_.in_memory(candidate.address).add_to(map.result.sample);
  if (map.buckets.address == 0 || options_.headers_only) {
    map.result.sample.evidence = MapEvidence::plausible;
    map.result.outcome = DecodeOutcome::map;
    return {};
  }
  map.result.sample.evidence = MapEvidence::consistent;
  auto object = TRY(reader_.object_at(map.buckets.address));
  if (!object || possible_group_sizes(*object, wanted_buckets(map.b)).empty()) {
    map.result.contradict();
    return {};
  }
  const RememberedMap *known = options_.known.empty() ? nullptr : options_.known[index];
  if (known != nullptr && known->group_bytes != 0 &&
      known->holds(map.result.sample.seed, map.result.header_digest) &&
      known->fits(possible_group_sizes(*object, wanted_buckets(map.b))) &&
      !(reader_.knows_residency() && known->has_more_objects))
    return recall(index, *object, *known);
  if (object->data_bytes() > options_.contents_bytes_max) {
    map.result.outcome = DecodeOutcome::too_large;
    return {};
  }
  map.buckets.object = *object;
  if (options_.types != nullptr)
    options_.types->ask_bitmap(index, *object, reader_.spans(), next_);
  // From the malloc header on, which names the type.
  ask(index, object->start, std::min<std::uint64_t>(object->size_bytes, kPieceBytes), object->span,
      ClassicPart::first);
  return {};
}

// The header tells what was added since it was last decoded, which is nothing: no entry, and as
// noverflow counts them all, no overflow bucket. Only the lists that keep these alive may have come
// meanwhile, as an iteration makes them. Go source: runtime/map.go, newoverflow, mapiterinit.
Result<> ClassicBatch::recall(std::uint32_t index, const HeapObject &object,
                              const RememberedMap &known) {
  ClassicMap &map = maps_[index];
  known.tell(map.result);
  map.bucket_bytes = map.result.bucket_bytes;
  map.buckets.object = object;
  map.buckets = map.buckets.with_spare(map.b, map.bucket_bytes);
  map.live_count = map.result.sample.len;
  map.overflow_count = map.noverflow;
  map.result.sample.bytes.overflow = map.overflow_bytes_told(layout_.has_malloc_headers());
  return start_old_and_extra(index);
}

Result<> ClassicBatch::take(const ObjectRequest &request, std::span<const std::byte> bytes) {
  ClassicMap &map = maps_[request.map];
  if (!map.is_pending())
    return {};
  if (bytes.empty()) {
    map.result.contradict();
    return {};
  }
  if (options_.types != nullptr && request.tag == TypeCheck::kBitmapTag) {
    options_.types->take_bitmap(request, bytes);
    return {};
  }
  auto part = static_cast<ClassicPart>(request.tag);
  switch (part) {
  case ClassicPart::first: {
    std::uint64_t header_bytes = map.buckets.address - request.address;
    if (header_bytes != 0)
      map.type_word = load<std::uint64_t>(bytes, 0);
    return take_first(request.map, bytes.subspan(header_bytes));
  }
  case ClassicPart::extra:
    return take_extra(request.map, bytes);
  case ClassicPart::overflow_list:
    return take_overflow_list(request.map, bytes);
  default:
    TRY(take_buckets(request.map, bytes, part));
    return take_types(request.map, part, request.address, bytes);
  }
}

Result<> ClassicBatch::start_old_and_extra(std::uint32_t index) {
  ClassicMap &map = maps_[index];
  map.result.contents_span = map.buckets.object.span;
  map.result.contents_slot = map.buckets.object.slot;
  reader_.in_memory(map.buckets.object).add_to(map.result.sample);
  if (map.old.address != 0) {
    auto object = TRY(reader_.object_at(map.old.address));
    std::uint8_t old_b = map.old.bucket_count == map.buckets.bucket_count
                             ? map.b
                             : static_cast<std::uint8_t>(map.b - 1);
    auto sizes = object ? possible_group_sizes(*object, wanted_buckets(old_b)) : GroupSizes{};
    if (map.bucket_bytes < sizes.first || map.bucket_bytes > sizes.last) {
      map.result.contradict();
      return {};
    }
    map.old.object = *object;
    map.old = map.old.with_spare(old_b, map.bucket_bytes);
    map.result.sample.bytes.old += object->size_bytes;
    reader_.in_memory(*object).add_to(map.result.sample);
    ask_pieces(index, map.old, 0, ClassicPart::old_buckets);
  }
  if (map.extra != 0)
    TRY(ask_object(index, map.extra, layout_.classic.extra_size, ClassicPart::extra));
  return {};
}

void ClassicBatch::ask_pieces(std::uint32_t index, const BucketArray &array,
                              std::uint64_t first_bucket, ClassicPart part) {
  std::uint64_t bucket_bytes = maps_[index].bucket_bytes;
  std::uint64_t a_piece = kPieceBytes / bucket_bytes;
  for (std::uint64_t bucket = first_bucket; bucket < array.bucket_count; bucket += a_piece)
    ask(index, array.address + bucket * bucket_bytes,
        std::min(a_piece, array.bucket_count - bucket) * bucket_bytes, array.object.span, part);
}

// Counts the entries of whole buckets, and follows their overflow pointers.
Result<> ClassicBatch::take_buckets(std::uint32_t index, std::span<const std::byte> bytes,
                                    ClassicPart part) {
  ClassicMap &map = maps_[index];
  for (std::size_t at = 0; at + map.bucket_bytes <= bytes.size(); at += map.bucket_bytes) {
    BucketCells cells = look_at_bucket(load<std::uint64_t>(bytes, at));
    bool may_be_evacuated = part == ClassicPart::old_buckets || part == ClassicPart::dead_overflow;
    if (!cells.is_valid || (cells.is_evacuated && !may_be_evacuated) ||
        (part == ClassicPart::dead_overflow && !cells.is_evacuated)) {
      map.result.contradict();
      return {};
    }
    map.live_count += cells.live_count;
    MapSample &sample = map.result.sample;
    sample.history.has_deletions |= cells.has_deletions;
    sample.evacuated_buckets += part == ClassicPart::old_buckets && cells.is_evacuated;
    auto overflow = load<std::uint64_t>(bytes, at + map.bucket_bytes - 8);
    if (overflow == 0)
      continue;
    // An overflow bucket is added to a full one.
    sample.history.has_deletions |= !cells.is_evacuated && cells.live_count < kGroupSlots;
    bool is_old = part != ClassicPart::buckets && part != ClassicPart::overflow;
    TRY(follow(index, overflow,
               !is_old              ? ClassicPart::overflow
               : cells.is_evacuated ? ClassicPart::dead_overflow
                                    : ClassicPart::old_overflow));
    if (!map.is_pending())
      return {};
  }
  return {};
}

Result<> ClassicBatch::follow(std::uint32_t index, std::uint64_t overflow, ClassicPart part) {
  ClassicMap &map = maps_[index];
  bool is_old = part != ClassicPart::overflow;
  const BucketArray &array = is_old ? map.old : map.buckets;
  std::uint64_t links = ++(is_old ? map.old_overflow_count : map.overflow_count);
  if (links > (is_old ? array.bucket_count * 2 : map.overflow_count_max())) {
    map.result.contradict();
    return {};
  }
  if (array.has_spare(overflow, map.bucket_bytes)) {
    ask(index, overflow, map.bucket_bytes, array.object.span, part);
    return {};
  }
  auto object = TRY(reader_.object_at(overflow));
  if (!object || object->size_bytes != heap_bytes(map.bucket_bytes, array.object.has_pointers,
                                                  layout_.has_malloc_headers())) {
    map.result.contradict();
    return {};
  }
  MapBytes &heap = map.result.sample.bytes;
  (is_old ? heap.old : heap.overflow) += object->size_bytes;
  reader_.in_memory(*object).add_to(map.result.sample);
  ask(index, overflow, map.bucket_bytes, object->span, part);
  return {};
}

// An object of the map's own bookkeeping, of that size.
Result<> ClassicBatch::ask_object(std::uint32_t index, std::uint64_t address,
                                  std::uint32_t size_bytes, ClassicPart part) {
  ClassicMap &map = maps_[index];
  auto object = TRY(reader_.object_at(address));
  if (!object || !object->has_pointers ||
      object->size_bytes != heap_bytes(size_bytes, true, layout_.has_malloc_headers())) {
    map.result.contradict();
    return {};
  }
  map.result.sample.bytes.directory += object->size_bytes;
  reader_.in_memory(*object).add_to(map.result.sample);
  ask(index, address, size_bytes, object->span, part);
  return {};
}

// mapextra: lists that keep overflow buckets alive whose type has no pointers.
Result<> ClassicBatch::take_extra(std::uint32_t index, std::span<const std::byte> bytes) {
  constexpr std::uint32_t kSliceBytes = 24;
  for (std::uint32_t at : {layout_.classic.extra_overflow, layout_.classic.extra_oldoverflow})
    if (auto list = load<std::uint64_t>(bytes, at); list != 0 && maps_[index].is_pending())
      TRY(ask_object(index, list, kSliceBytes, ClassicPart::overflow_list));
  return {};
}

Result<> ClassicBatch::take_overflow_list(std::uint32_t index, std::span<const std::byte> bytes) {
  ClassicMap &map = maps_[index];
  auto array = load<std::uint64_t>(bytes, 0);
  if (array == 0)
    return {};
  auto object = TRY(reader_.object_at(array));
  if (!object || !object->has_pointers) {
    map.result.contradict();
    return {};
  }
  map.result.sample.bytes.directory += object->size_bytes;
  reader_.in_memory(*object).add_to(map.result.sample);
  return {};
}

// What is left once all buckets agreed.
void ClassicBatch::finish(ClassicMap &map, DecodedMap &result) const {
  if (result.outcome != DecodeOutcome::pending)
    return;
  MapSample &sample = result.sample;
  if (!agree(sample.len, map.live_count, options_.in_motion) ||
      (sample.group_bytes != 0 && sample.group_bytes != map.bucket_bytes) ||
      (map.is_overflow_exact() && !agree(map.noverflow, map.overflow_count, options_.in_motion))) {
    result.contradict();
    return;
  }
  sample.is_in_motion = sample.len != map.live_count ||
                        (map.is_overflow_exact() && map.noverflow != map.overflow_count);
  const BucketArray &array = map.buckets;
  std::uint64_t spare_bytes = array.spare_count * map.bucket_bytes;
  std::uint64_t main_bytes = array.bucket_count * map.bucket_bytes;
  MapBytes &bytes = sample.bytes;
  result.has_overflow_objects = bytes.overflow != 0; // spare buckets are added below
  result.can_be_remembered =
      !sample.is_in_motion && array.address != 0 && map.old.address == 0 &&
      map.is_overflow_exact() &&
      bytes.overflow == map.overflow_bytes_told(layout_.has_malloc_headers());
  sample.slots = array.bucket_count * kGroupSlots;
  bytes.control = array.bucket_count * kBucketOverheadBytes;
  bytes.overflow += spare_bytes;
  if (sample.group_bytes != 0) {
    bytes.cells = main_bytes - bytes.control;
    bytes.rounding = array.object.size_bytes - main_bytes - spare_bytes;
  } else {
    bytes.cells = array.object.size_bytes - bytes.control - spare_bytes;
  }
  result.bucket_bytes = map.bucket_bytes;
  result.outcome = DecodeOutcome::map;
}

Result<> ClassicDecoder::decode(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                                const DecodeOptions &options, std::vector<DecodedMap> &maps) const {
  return ClassicBatch(layout_, reader, options).decode(candidates, maps);
}

} // namespace mapscope
