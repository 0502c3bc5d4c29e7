// Who holds the maps of a survey, which lines made them grow, and which write to them: what heap/
// finds of each, remembered by map.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "flow/learned_map.h"
#include "flow/map_owner.h"
#include "flow/map_sample.h"
#include "heap/census.h"
#include "heap/owners/owners.h"
#include "heap/sites/map_sites.h"
#include "pipeline/map_source.h"

namespace mapscope {

class MapHolders {
public:
  // `source` outlives it.
  explicit MapHolders(MapSource &source) : source_(source) {}

  // Walks the object graph and reads the memory profile. Tells maps of the census their types where
  // the walk found them. Errors: as find_owners(); unsupported (a snapshot that was saved without).
  Result<> look(const HeapAnchors &anchors, TypeCheck &type_check, Census &census,
                const OwnerLimits &limits = {});
  // As if nobody had looked.
  void forget_look() { has_looked_ = false; }
  // And gives back the memory.
  void release();
  bool has_looked() const { return has_looked_; }

  // Remembers what writes to maps, and names the places. Errors: as Symbolizer::symbolize.
  Result<> name(LearnedWrites learned);
  const LearnedWrites &learned() const { return learned_; }
  // Tells maps of the census the types that code passed when it wrote to them.
  void tell_types(TypeCheck &type_check, Census &census);

  // Of one map of the census that was looked at.
  Reach reach_of(const MapSample &map) const;
  // Of OwnerPatterns; 0: none.
  std::uint32_t pattern_of(const MapSample &map) const;
  const MapOwner &owner_of(const MapSample &map) const;
  MapSite site_of(const MapSample &map) const;
  std::vector<SiteShare> written_at(const MapSample &map) const;
  // Empty: not known.
  Result<std::vector<OwnerStep>> steps_to(ProcessAddress map, const HeapAnchors &anchors,
                                          TypeCheck &type_check);

  const OwnerCounts &counts() const { return owners_.counts; }
  const SiteCounts &site_counts() const { return site_counts_; }
  const std::vector<SiteUse> &site_uses() const { return sites_.uses(); }

private:
  Result<> look_at_sites(const HeapAnchors &anchors, const Census &census);
  Result<OwnerContext> context(const HeapAnchors &anchors);
  ElfAddress call_site(const LearnedWrite &write) const;
  const OwnedMap *find(const MapSample &map) const {
    return has_looked_ ? owners_.find(map.address, map.seed) : nullptr;
  }

  MapSource &source_;
  bool has_looked_ = false;
  bool has_owners_ = false; // of an earlier look at least
  Owners owners_;
  MapSites sites_;
  SiteCounts site_counts_;
  std::optional<GoTypes> types_;
  // By pattern; reachable, since what is not has none.
  mutable std::unordered_map<std::uint32_t, MapOwner> described_;
  LearnedWrites learned_;
  std::unordered_map<std::uint64_t, SourceFrame> write_lines_; // by call site
};

} // namespace mapscope
