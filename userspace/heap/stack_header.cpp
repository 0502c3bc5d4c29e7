// The header's own rules and those of heap objects are the decoder's; a group on the stack has
// none but its control word.
#include "heap/stack_header.h"

#include <array>
#include <vector>

#include "heap/bulk_read.h"
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

} // namespace

Result<DecodedMap> decode_on_stack(const HeaderCandidate &candidate, ProcessRange stack,
                                   const HeapLayout &layout, ObjectReader &reader,
                                   const DecodeOptions &options) {
  SwissDecoder decoder(layout);
  std::vector<DecodedMap> maps;
  TRY(decoder.decode({&candidate, 1}, reader, {.headers_only = true}, maps));
  bool is_small = load<std::uint64_t>(candidate.bytes, layout.swiss.dir_len) == 0;
  ProcessAddress contents{maps.front().contents};
  if (maps.front().outcome == DecodeOutcome::map && contents.value != 0) {
    if (is_small && contents.value % 8 == 0 && stack.contains(contents)) {
      std::array<std::uint64_t, 1> control_word{};
      MemoryRead read{contents, std::as_writable_bytes(std::span{control_word})};
      TRY(reader.space().read({&read, 1}));
      reader.add_to_digest(read.into);
      if (read.is_read && has_entries(control_word[0], maps.front().sample.len)) {
        maps.front().sample.slots = kGroupSlots;
        maps.front().sample.evidence = MapEvidence::consistent;
      } else {
        maps.front().contradict();
      }
    } else {
      TRY(decoder.decode({&candidate, 1}, reader, options, maps));
    }
  }
  maps.front().sample.is_on_stack = true;
  maps.front().sample.bytes.header = 0;
  return maps.front();
}

} // namespace mapscope
