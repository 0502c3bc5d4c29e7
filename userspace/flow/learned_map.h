// What probes on the runtime's writes to maps brought in the moments that they were there: exact
// types, and the lines that write. Made by pipeline/map_learner, used with a census.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace mapscope {

// Writes to one map from one place.
struct LearnedWrite {
  ProcessAddress map;            // header
  ProcessAddress type;           // descriptor of the map type that the code passed
  ProcessAddress return_address; // in the function that writes
  // Of the map when it was first written there in the last moment of watching, as MapSample has
  // it: another one now means another map at that address. 0: could not be read.
  std::uint64_t seed = 0;
  std::uint64_t hits = 0;
  friend auto operator<=>(const LearnedWrite &, const LearnedWrite &) = default;
};

struct LearnedWrites {
  std::vector<LearnedWrite> writes; // in the order of maps
  std::uint64_t hits = 0;           // of all probes
  std::uint64_t lost = 0;           // hits that no table had room for
  std::uint64_t flash_count = 0;    // times that probes were placed and taken off
  std::uint64_t attached_ns = 0;    // in all, placing and taking off included
  std::uint64_t duration_ns = 0;
  std::string stopped_by; // a sentence, where the budget ended it early
};

} // namespace mapscope
