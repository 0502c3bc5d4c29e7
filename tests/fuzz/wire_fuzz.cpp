// An answer of a parser that has been taken over: all that its parent makes of the bytes.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz_target.h"
#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/message.h"
#include "wire/roots_archive.h"
#include "wire/source_json.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(wire_fuzz, data, size_bytes) {
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  const RootPlaces places{{{0x401000}, 0x10000}, {{0x500000}, 0x10000}};
  if (const auto roots = roots_from_bytes(bytes, places))
    if (!roots_from_bytes(roots_to_bytes(*roots), places))
      std::abort();
  const auto json = decode_message(bytes);
  if (!json)
    return 0;
  (void)error_from_json(*json);
  if (auto frames = frames_from_json(*json))
    (void)frames_to_json(*frames).dump(); // throws on what is no UTF-8
  if (auto types = map_types_from_json(*json)) {
    const auto again = map_types_to_json(*types);
    (void)again.dump();
    if (map_types_from_json(again) != *types)
      std::abort();
  }
  if (auto facts = facts_from_json(*json)) {
    const auto again = facts_to_json(*facts);
    (void)again.dump();
    if (!facts_from_json(again))
      std::abort();
  }
  return 0;
}
