// The rules that the fields of a classic header keep among themselves.
#include "heap/classic_header.h"

#include "heap/bulk_read.h"
#include "heap/census_memory.h"
#include "heap/group_size.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kCountMax = std::uint64_t{1} << 40; // of anything in one process
constexpr std::uint8_t kLogBucketsMax = 36;
constexpr std::uint8_t kFlagsMax = 15, kSameSizeGrow = 8;

// What hashGrow and evacuate leave in the header. Go source: runtime/map.go, hashGrow,
// advanceEvacuationMark, mapclear: nevacuate stays at the number of old buckets until the next
// growth or clearing. A growth to the same size adds no room, so it is none here.
void note_growth(const HeapLayout &layout, std::uint64_t nevacuate, bool grows_same_size,
                 ClassicMap &map) {
  MapHistory &history = map.result.sample.history;
  bool is_growing = map.old.address != 0;
  history.has_grown =
      is_growing ? !grows_same_size : nevacuate != 0 && nevacuate == map.buckets.bucket_count / 2;
  // Without growth and clearing, only a hint makes more than one bucket.
  history.was_hinted = layout.classic.clear_seq && !history.was_cleared && !is_growing &&
                       nevacuate == 0 && map.b != 0;
}

} // namespace

bool parse_classic_header(const HeapLayout &layout, const HeaderCandidate &candidate,
                          ClassicMap &map) {
  const ClassicLayout &at = layout.classic;
  std::span<const std::byte> header = std::span{candidate.bytes}.first(layout.header_size);
  MapSample &sample = map.result.sample;
  auto flags = load<std::uint8_t>(header, at.flags);
  auto nevacuate = load<std::uint64_t>(header, at.nevacuate);
  map.b = load<std::uint8_t>(header, at.b);
  map.noverflow = load<std::uint16_t>(header, at.noverflow);
  map.buckets.address = load<std::uint64_t>(header, at.buckets);
  map.old.address = load<std::uint64_t>(header, at.oldbuckets);
  map.extra = load<std::uint64_t>(header, at.extra);
  map.result.contents = map.buckets.address;
  map.result.header_digest = digest_of(header, 0, at.flags); // as it is while nobody writes
  sample.address = {candidate.address};
  sample.seed = load<std::uint32_t>(header, at.hash0);
  sample.len = load<std::uint64_t>(header, at.count);
  sample.bytes.header = heap_bytes(layout.header_size, true, layout.has_malloc_headers());

  if (at.clear_seq)
    sample.history.was_cleared = load<std::uint64_t>(header, *at.clear_seq) != 0;

  if (flags > kFlagsMax || map.b > kLogBucketsMax || sample.seed == 0 || sample.len >= kCountMax)
    return false;
  map.buckets.bucket_count = std::uint64_t{1} << map.b;
  if (map.buckets.address == 0)
    return sample.len == 0 && map.b == 0 && map.noverflow == 0 && map.old.address == 0 &&
           map.extra == 0 && nevacuate == 0;
  bool grows_same_size = (flags & kSameSizeGrow) != 0;
  if (map.old.address != 0) {
    if (map.b == 0 && !grows_same_size)
      return false;
    map.old.bucket_count = map.buckets.bucket_count >> (grows_same_size ? 0 : 1);
    sample.old_buckets = map.old.bucket_count;
  }
  note_growth(layout, nevacuate, grows_same_size, map);
  return nevacuate <= (map.old.address != 0 ? map.old.bucket_count : map.buckets.bucket_count) &&
         sample.len <= kGroupSlots * (map.buckets.bucket_count + map.noverflow) &&
         (!map.is_overflow_exact() || map.noverflow <= map.buckets.bucket_count * 2);
}

} // namespace mapscope
