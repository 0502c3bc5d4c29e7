// What a decoder makes of one candidate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flow/map_sample.h"

namespace mapscope {

enum class DecodeOutcome : std::uint8_t {
  pending,
  map,          // all of it agrees; `sample` is good
  no_header,    // the header alone makes no sense
  contradicted, // something disagrees: no map, or one that was changing
  too_large,    // takes more than DecodeOptions allow
};

struct DecodeOptions {
  // Where several bucket sizes are possible, which one to try: the counts of entries and of
  // overflow buckets show whether it was the right one.
  unsigned attempt = 0;
  bool headers_only = false; // nothing that a header points to is read
  // Of one map: its directory, or its array of buckets.
  std::uint64_t contents_bytes_max = 1 << 20;
  // Of all maps of the batch, at once. Headers that lie could otherwise ask for any number.
  std::size_t requests_max = 1 << 20;
};

struct DecodedMap {
  MapSample sample;
  // The object that only one header may point to: directory, group or bucket array. 0: none.
  std::uint64_t contents = 0;
  DecodeOutcome outcome = DecodeOutcome::pending;
  unsigned choice_count = 1; // of DecodeOptions::attempt that differ from each other
  std::uint32_t bucket_bytes = 0; // classic: of the one that was taken

  void contradict() { outcome = DecodeOutcome::contradicted; }
};

} // namespace mapscope
