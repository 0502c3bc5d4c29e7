// What the entries of a map would cost in a map made anew for so many: make(map, len), and then
// every entry put into it.
#pragma once

#include <cstdint>
#include <optional>

#include "go/map_rules.h"
#include "judge/map_bytes_by_cause.h"

namespace mapscope {

class MapRebuild {
public:
  explicit MapRebuild(const BinaryFacts &facts);

  // Slots that make(map, len) has once entries are in it. Empty: so many that the runtime may not
  // make them.
  std::optional<std::uint64_t> slots(std::uint64_t len) const;

  // Tables that split or grow, or overflow buckets, that so many entries are expected to need
  // besides, since hashes do not spread evenly.
  double expected_growths(std::uint64_t len) const;

  // Empty where the size of a group is needed and not known, or candidates disagree.
  std::optional<std::uint64_t> bytes(const MapSample &map, MapTypes candidates) const;

private:
  // Made for so many entries, with its entries in it.
  struct Plan {
    CreatedMap map;
    double growths = 0;
  };

  std::optional<Plan> plan(std::uint64_t len, bool header_is_on_heap) const;
  std::optional<std::uint64_t> bytes(const Plan &plan, std::uint64_t group_bytes,
                                     bool has_pointers) const;

  MapRules rules_;
  bool is_classic_;
  bool has_malloc_headers_;
};

} // namespace mapscope
