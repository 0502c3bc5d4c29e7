// What the entries of a map would cost in a map made anew for so many: make(map, len), and then
// every entry put into it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "go/map_rules.h"
#include "judge/map_bytes_by_cause.h"

namespace mapscope {

// Keeps what it has worked out, since a census asks a million times about few sizes; so one object
// is not for several threads at once.
class MapRebuild {
public:
  explicit MapRebuild(const BinaryFacts &facts);

  // Slots that make(map, len) has once entries are in it. Empty: so many that the runtime may not
  // make them.
  std::optional<std::uint64_t> slots(std::uint64_t len) const;

  // Tables that split or grow, or overflow buckets, that so many entries are expected to need
  // besides, since hashes do not spread evenly.
  double expected_growths(std::uint64_t len) const;

  // Empty where the size of a group is needed and not known, or candidates disagree, or the release
  // is not known.
  std::optional<std::uint64_t> bytes(const MapSample &map, MapTypes candidates) const;

private:
  // Made for so many entries, with its entries in it.
  struct Plan {
    CreatedMap map;
    double growths = 0;
  };

  std::optional<Plan> plan(std::uint64_t len) const;
  // Without the header.
  std::optional<std::uint64_t> work_out(std::uint64_t len, std::uint64_t group_bytes,
                                        bool has_pointers) const;
  // The same, but a number of kNotKnown for none, and remembered.
  std::uint64_t contents_bytes(std::uint64_t len, std::uint64_t group_bytes,
                               bool has_pointers) const;

  struct Known {
    std::uint64_t question = 0; // 0: none
    std::uint64_t bytes = 0;
  };
  static constexpr std::uint64_t kNotKnown = UINT64_MAX;

  MapRules rules_;
  bool is_classic_;
  bool has_malloc_headers_;
  bool is_known_release_; // what a release that is not known makes of a hint is not known either
  std::uint64_t header_bytes_;
  mutable std::vector<Known> known_; // by a hash of the question; a newer one takes the place
};

} // namespace mapscope
