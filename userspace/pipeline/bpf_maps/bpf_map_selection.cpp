// Filters, sorts, adds up; see bpf_map_selection.h.
#include "pipeline/bpf_maps/bpf_map_selection.h"

#include <algorithm>
#include <tuple>

#include <fnmatch.h>

#include "flow/bpf_rates.h"
#include "judge/bpf_map_advice.h"

namespace mapscope {
namespace {

BpfMapsTotals totals_of(const BpfMapsLook &look) {
  BpfMapsTotals totals;
  for (const BpfMapSample &map : look.maps) {
    const std::uint64_t bytes = map.facts.memory_bytes.value_or(0);
    ++totals.maps;
    totals.own_maps += map.facts.is_own;
    totals.memory_bytes += bytes;
    totals.own_memory_bytes += map.facts.is_own ? bytes : 0;
    totals.memory_unknown += !map.facts.memory_bytes;
    switch (map.fill.method) {
    case BpfMethod::counted:
      ++totals.counted;
      break;
    case BpfMethod::walked:
      ++totals.walked;
      break;
    case BpfMethod::sampled:
      ++totals.sampled;
      break;
    case BpfMethod::unknown:
      ++totals.unknown;
      break;
    }
  }
  return totals;
}

bool is_wanted(const BpfMapFacts &map, const BpfMapSelection &selection) {
  if (selection.only_own && !map.is_own)
    return false;
  if (!selection.types.empty() &&
      std::ranges::find(selection.types, map.type) == selection.types.end())
    return false;
  return selection.name.empty() || ::fnmatch(selection.name.c_str(), map.name.c_str(), 0) == 0;
}

// What has the larger one comes first; -1: not known.
double rank_of(const BpfMapSample &map, BpfMapOrder order) {
  constexpr double kUnknown = -1;
  switch (order) {
  case BpfMapOrder::fill:
    return map.fill.fill.value_or(kUnknown);
  case BpfMapOrder::entries:
    return map.fill.entries ? static_cast<double>(*map.fill.entries) : kUnknown;
  case BpfMapOrder::memory:
    return map.facts.memory_bytes ? static_cast<double>(*map.facts.memory_bytes) : kUnknown;
  case BpfMapOrder::lookups:
  case BpfMapOrder::updates: {
    if (!map.rates)
      return kUnknown;
    const BpfRateSum sum =
        order == BpfMapOrder::lookups ? lookups_of(*map.rates) : updates_of(*map.rates);
    return sum.likely.value_or(sum.lower);
  }
  case BpfMapOrder::id:
  case BpfMapOrder::name:
    break;
  }
  return 0;
}

} // namespace

BpfMapsReport report_of(const BpfMapsLook &look, const BpfMapSelection &selection,
                        std::uint64_t wall_time_ns) {
  using Ranked = std::tuple<double, std::string_view, std::uint32_t, const BpfMapSample *>;
  std::vector<Ranked> wanted;
  for (const BpfMapSample &map : look.maps)
    if (is_wanted(map.facts, selection)) {
      const bool by_name = selection.order == BpfMapOrder::name;
      wanted.emplace_back(-rank_of(map, selection.order),
                          by_name ? std::string_view{map.facts.name} : std::string_view{},
                          map.facts.id, &map);
    }
  std::ranges::sort(wanted);
  BpfMapsReport report{.wall_time_ns = wall_time_ns,
                       .totals = totals_of(look),
                       .selected = wanted.size(),
                       .cpu_ns = look.cpu_ns,
                       .vanished = look.vanished,
                       .not_counted = look.not_counted,
                       .problems = look.problems};
  if (selection.top != 0 && wanted.size() > selection.top)
    wanted.resize(selection.top);
  for (const Ranked &ranked : wanted) {
    const BpfMapSample &map = *std::get<const BpfMapSample *>(ranked);
    report.rows.push_back({.map = map, .advice = advice_for(map)});
  }
  return report;
}

} // namespace mapscope
