// What a decoder makes of one candidate.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flow/map_sample.h"

namespace mapscope {

class TypeCheck;      // heap/type_check.h
struct RememberedMap; // heap/census_memory.h

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
  // For large maps, which are written to while they are read: what a header or a table counts may
  // be a little off from what is counted behind it, a moment later.
  bool in_motion = false;
  // Of one map: its directory, or its array of buckets.
  std::uint64_t contents_bytes_max = 1 << 20;
  // What an earlier census learned of each candidate; null: nothing. Empty: of none.
  std::span<const RememberedMap *const> known;
  // Of all maps of the batch, at once. Headers that lie could otherwise ask for any number.
  std::size_t requests_max = 1 << 20;
  TypeCheck *types = nullptr; // null: nothing is said of types
};

struct DecodedMap {
  static constexpr std::uint32_t kNoSpan = 0xffffffff;

  MapSample sample;
  // The object that only one header may point to: directory, group or bucket array. 0: none.
  std::uint64_t contents = 0;
  std::uint32_t contents_span = kNoSpan, contents_slot = 0; // where that is
  DecodeOutcome outcome = DecodeOutcome::pending;
  unsigned choice_count = 1;      // of DecodeOptions::attempt that differ from each other
  std::uint32_t bucket_bytes = 0; // classic: of the one that was taken
  // A map, whose type was refused by something that a change meanwhile would explain.
  bool is_doubtful = false;

  // What is remembered of a map, and what of it was remembered; heap/census_memory.h.
  std::uint32_t header_digest = 0, tables_digest = 0;
  bool can_be_remembered = false;
  bool has_overflow_objects = false;
  bool is_remembered = false; // nothing was read but header, directory and tables

  void contradict() { outcome = DecodeOutcome::contradicted; }
};

// Whether that many entries or overflow buckets were counted as are `told`.
inline bool agree(std::uint64_t told, std::uint64_t counted, bool in_motion) {
  constexpr std::uint64_t kPart = 16;
  const auto [less, more] = std::minmax(told, counted);
  return told == counted || (in_motion && more - less <= more / kPart);
}

} // namespace mapscope
