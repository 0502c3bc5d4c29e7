// Samples are counted by line of user code.
#include "heap/sites/map_sites.h"

namespace mapscope {

Result<MapSites> MapSites::make(const AllocationProfile &, std::span<const MapPartSample>,
                                const std::function<SitePattern(std::uint64_t)> &,
                                const BinaryFacts &, LoadBias, Symbolizer &) {
  return MapSites{};
}

MapSite MapSites::of(std::uint64_t, SitePattern) const { return {}; }

} // namespace mapscope
