// A census of a process, judged: what `maps` prints.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "heap/census.h"
#include "heap/census_memory.h"
#include "judge/fail_on.h"
#include "judge/map_judge.h"
#include "pipeline/map_groups.h"
#include "pipeline/map_holders.h"
#include "pipeline/map_order.h"
#include "pipeline/map_overview.h"
#include "pipeline/map_source.h"
#include "report/maps_diff.h"
#include "report/maps_pprof.h"
#include "report/maps_report.h"

namespace mapscope {

// Which maps to show, and in which order: the most of what is asked for first, but the lowest fill,
// address and name.
struct MapSelection {
  MapOrder order = MapOrder::reclaimable;
  std::size_t top = 20; // 0: all
  std::uint64_t min_bytes = 0;
  std::string type;        // as matches_type_name() takes it; empty: all
  std::string owner, site; // the same for who holds them, and for lines of source
  MapGroupBy group_by = MapGroupBy::none;
};

// Whether a look walks the object graph for owners, and reads the memory profile.
enum class OwnersWanted {
  automatic, // where that costs less than a tenth of a second or so
  yes,
  no,
};

struct SurveyOptions {
  bool remembers = false; // there will be more than one look, and what one learned is kept
  OwnersWanted owners = OwnersWanted::automatic;
  bool residency = true; // which bytes of maps are in memory
};

class MapSurvey {
public:
  // `source` outlives it.
  explicit MapSurvey(MapSource &source, const SurveyOptions &options = {});

  // Looks at the memory anew. Errors: as take_census(); as find_owners() where owners are wanted.
  Result<> look();
  // What probes saw write to maps, for all looks that follow. Errors: as Symbolizer::symbolize.
  Result<> learn(LearnedWrites writes);

  // What the last look found.
  MapsReport report(const MapSelection &selection) const;
  // The same in the numbers that conditions are about.
  MapFigures figures() const;
  // The map at that address. Errors: not_found, with the sentence to show; as take_apart().
  Result<MapExplanation> explain(ProcessAddress address, bool with_payload);
  // All maps, to be compared with those of another look.
  MapsLook all() const;
  // All maps by type, owner and site.
  MapsProfile profile() const;

  // For whoever looks again and again, and keeps little in between.

  // The largest maps and the sum of all, in one pass.
  MapsOverview overview(const OverviewOptions &options) const;
  // Walks the object graph and reads the memory profile for what the last look found, whatever
  // SurveyOptions say. Errors: as find_owners().
  Result<> find_holders(const OwnerLimits &limits);
  const HeapStatistics &heap() const { return census_.heap; }
  // What the looks so far have learned, for another survey of the same process that remembers.
  std::unique_ptr<CensusMemory> take_memory();
  void set_memory(std::unique_ptr<CensusMemory> memory);

private:
  JudgedMap judged(const MapSample &map) const;
  JudgedMap judged(const MapSample &map, const KnownMaps *known) const;
  using Types = std::vector<const MapTypeLayout *>;

  // Adds maps whose header lies on a stack, where the release lets them be told.
  Result<> look_at_stacks();
  Result<> look_at_holders();
  void name_type_sets();
  bool is_walk_cheap() const;
  std::span<const MapTypeLayout *const> types_of(const MapSample &map) const {
    return type_sets_[map.types];
  }
  std::string name_of(const Types &types) const; // empty: not known
  MapsReport start_report() const;
  void add_to(MapTotals &totals, const MapSample &map) const;
  void add_to_report(MapsReport &report, const MapSample &map) const;
  void add_groups(MapsReport &report, const MapSelection &selection, MapGroups &groups,
                  std::span<const std::uint64_t> alphabet) const;
  bool wants_holders(const MapSample &map, const MapSelection &selection) const;
  // By index of a set of types: whether the user wants it, and its place in the alphabet.
  std::vector<bool> wanted_types(const MapSelection &selection) const;
  std::vector<std::uint64_t> alphabet() const;

  MapSource &source_;
  SurveyOptions options_;
  HeapAnchors anchors_;
  MapJudge judge_;
  std::unique_ptr<CensusMemory> memory_; // null: it does not remember
  Census census_;
  MapHolders holders_;
  bool has_learned_ = false;
  bool stacks_searched_ = false;
  std::vector<Types> type_sets_; // census_.type_sets as what they name
};

} // namespace mapscope
