// The header's own rules and those of heap objects are the decoder's; a group on the stack has
// none but its control word.
#include "heap/stack_header.h"

#include <span>
#include <vector>

#include "heap/bulk_read.h"
#include "heap/classic.h"
#include "heap/classic_buckets.h"
#include "heap/group_size.h"
#include "heap/swiss.h"

namespace mapscope {
namespace {

// A small map never has a deleted slot.
bool has_entries(std::uint64_t control_word, std::uint64_t count) {
  for (; control_word != 0; control_word >>= 8) {
    std::uint64_t control = control_word & 0xff;
    if (control > 0x80)
      return false;
    count += control == 0x80;
  }
  return count == kGroupSlots;
}

Result<bool> read_word(ObjectReader &reader, ProcessAddress address, std::uint64_t &word) {
  MemoryRead read{address, std::as_writable_bytes(std::span{&word, 1})};
  TRY(reader.space().read({&read, 1}));
  if (read.is_read)
    reader.add_to_digest(read.into);
  return read.is_read;
}

// A group of a swiss map, or a bucket of a classic one, that lies on the stack.
Result<bool> is_first_group(const HeaderCandidate &header, const DecodedMap &map,
                            const HeapLayout &layout, ObjectReader &reader) {
  std::uint64_t word = 0; // control bytes, or tophash
  if (!TRY(read_word(reader, {map.contents}, word)))
    return false;
  if (layout.maps == MapImplementation::swiss)
    return load<std::uint64_t>(header.bytes, layout.swiss.dir_len) == 0 &&
           has_entries(word, map.sample.len);
  const ClassicLayout &at = layout.classic;
  BucketCells cells = look_at_bucket(word);
  return load<std::uint8_t>(header.bytes, at.b) == 0 &&
         load<std::uint16_t>(header.bytes, at.noverflow) == 0 &&
         load<std::uint64_t>(header.bytes, at.oldbuckets) == 0 &&
         load<std::uint64_t>(header.bytes, at.nevacuate) == 0 &&
         load<std::uint64_t>(header.bytes, at.extra) == 0 && cells.is_valid &&
         !cells.is_evacuated && cells.live_count == map.sample.len;
}

} // namespace

Result<DecodedMap> decode_on_stack(const HeaderCandidate &candidate, ProcessRange stack,
                                   const HeapLayout &layout, ObjectReader &reader,
                                   const DecodeOptions &options) {
  bool is_swiss = layout.maps == MapImplementation::swiss;
  std::vector<DecodedMap> maps;
  auto decode = [&](const DecodeOptions &how) {
    return is_swiss ? SwissDecoder(layout).decode({&candidate, 1}, reader, how, maps)
                    : ClassicDecoder(layout).decode({&candidate, 1}, reader, how, maps);
  };
  TRY(decode({.headers_only = true}));
  ProcessAddress contents{maps.front().contents};
  if (maps.front().outcome == DecodeOutcome::map && contents.value != 0) {
    if (!is_swiss && maps.front().sample.len == 0) {
      maps.front().contradict();
    } else if (TRY(reader.object_at(contents.value))) {
      TRY(decode(options));
    } else if (contents.value % 8 == 0 && stack.contains(contents) &&
               TRY(is_first_group(candidate, maps.front(), layout, reader))) {
      maps.front().sample.slots = kGroupSlots;
      maps.front().sample.evidence = MapEvidence::consistent;
    } else {
      maps.front().contradict();
    }
  }
  maps.front().sample.is_on_stack = true;
  maps.front().sample.bytes.header = 0;
  return maps.front();
}

} // namespace mapscope
