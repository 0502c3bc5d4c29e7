// Which lines of source made maps, and made them grow: sampled objects that are parts of maps, and
// what this says of maps of the same type and owner.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/map_owner.h"
#include "flow/source.h"
#include "heap/sites/allocation_profile.h"
#include "heap/sites/sampled_parts.h"

namespace mapscope {

// Maps that are told apart by no more than this share their sites.
struct SitePattern {
  std::uint32_t types = 0;   // set of types
  std::uint32_t pattern = 0; // of the owner
  // Maps of which nothing is known have nothing in common.
  bool is_known() const { return types != 0 && pattern != 0; }
  friend auto operator<=>(const SitePattern &, const SitePattern &) = default;
};

class MapSites {
public:
  // Names every stack of the profile once. Errors: as Symbolizer::symbolize.
  static Result<MapSites> make(const AllocationProfile &profile,
                               std::span<const MapPartSample> samples,
                               const std::function<SitePattern(std::uint64_t map)> &pattern_of,
                               const BinaryFacts &facts, LoadBias bias, Symbolizer &symbolizer);

  MapSite of(std::uint64_t map, SitePattern pattern) const;
  // Maps with a sample of their own.
  std::uint64_t sampled_map_count() const { return by_map_.size(); }
  // All that map code allocated, by stack, the most bytes in use first.
  const std::vector<SiteUse> &uses() const { return uses_; }

private:
  std::map<std::uint64_t, std::vector<SiteShare>> by_map_;
  std::map<SitePattern, std::vector<SiteShare>> by_pattern_;
  std::vector<SiteUse> uses_;
};

} // namespace mapscope
