// Judges in words only what is kept.
#include "pipeline/map_overview.h"

#include <algorithm>
#include <utility>

#include "pipeline/map_survey.h"

namespace mapscope {

MapsOverview MapSurvey::overview(const OverviewOptions &options) const {
  MapsOverview overview{.report = start_report()};
  MapsReport &report = overview.report;
  report.site_uses.clear(); // of all allocations, and not small
  BestMaps shown{std::max<std::size_t>(options.shown_max, 1)};
  BestMaps large{std::max<std::size_t>(options.large_max, 1)};
  std::uint64_t large_count = 0;
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    const std::uint64_t bytes = map.bytes.total();
    if (map.evidence == MapEvidence::plausible) {
      ++report.plausible;
      report.plausible_bytes += bytes;
      continue;
    }
    add_to_report(report, map);
    shown.add(bytes, map.len, i);
    if (bytes >= options.min_bytes || map.len >= options.min_entries) {
      ++large_count;
      large.add(bytes, map.len, i);
    }
  }
  report.selected = report.totals.maps;
  for (std::size_t index : shown.take())
    report.maps.push_back(judged(census_.maps[index], options.known));
  for (std::size_t index : large.take())
    overview.large.push_back(judged(census_.maps[index], options.known));
  overview.large_left_out = large_count - overview.large.size();
  const CensusCounts &counts = census_.counts;
  overview.unsettled = census_.unsettled;
  overview.is_partial = counts.unsettled_count > census_.unsettled.size() ||
                        counts.span_left_out_count + counts.header_span_unsettled_count +
                                counts.header_span_left_out_count !=
                            0;
  return overview;
}

JudgedMap MapSurvey::judged(const MapSample &map, const KnownMaps *known) const {
  if (known == nullptr || holders_.reach_of(map) != Reach::unknown)
    return judged(map);
  const auto found = known->find({map.address.value, map.seed});
  if (found == known->end())
    return judged(map);
  const auto types = types_of(map);
  const auto exact = std::ranges::find_if(types, [&](const MapTypeLayout *type) {
    return !type->is_shape && type->type.name == found->second.type;
  });
  return judge_.judge(map, exact == types.end() ? types : std::span{&*exact, 1},
                      found->second.owner, found->second.site);
}

Result<> MapSurvey::find_holders(const OwnerLimits &limits) {
  if (!census_.type_check)
    return {};
  TRY(holders_.look(anchors_, *census_.type_check, census_, limits));
  name_type_sets();
  return {};
}

std::unique_ptr<CensusMemory> MapSurvey::take_memory() { return std::exchange(memory_, nullptr); }

void MapSurvey::set_memory(std::unique_ptr<CensusMemory> memory) {
  if (memory)
    memory_ = std::move(memory);
}

} // namespace mapscope
