// Families of the kernel's maps; see bpf_metrics.h.
#include "serve/bpf_metrics.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "serve/metric_rows.h"

namespace mapscope {
namespace {

using enum MetricKind;

using Maps = std::vector<const BpfMapSample *>;

double as_number(std::uint64_t value) { return static_cast<double>(value); }

// Bytes that the map holds; what is mere arithmetic says nothing of that.
std::optional<std::uint64_t> held_bytes(const BpfMapSample &map) {
  const BpfMemoryMethod method = map.facts.memory_method;
  return method == BpfMemoryMethod::accounted || method == BpfMemoryMethod::charged
             ? map.facts.memory_bytes
             : std::nullopt;
}

struct BpfMetricRows {
  Maps shown; // by id
  Maps rest;
};

BpfMetricRows choose(const BpfMapsLook &look, std::size_t maps_max) {
  Maps all;
  for (const BpfMapSample &map : look.maps)
    all.push_back(&map);
  std::set<const BpfMapSample *> chosen;
  const auto choose_by = [&](auto value_of) {
    std::ranges::stable_sort(all, std::ranges::greater{}, value_of);
    chosen.insert(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(
                                                 std::min<std::size_t>(maps_max, all.size())));
  };
  choose_by([](const BpfMapSample *map) { return held_bytes(*map).value_or(0); });
  choose_by([](const BpfMapSample *map) { return map->fill.fill.value_or(-1); });
  BpfMetricRows rows;
  for (const BpfMapSample &map : look.maps)
    (chosen.contains(&map) ? rows.shown : rows.rest).push_back(&map);
  return rows;
}

MetricLabels labels_of(const BpfMapFacts &map) {
  return {{"id", std::to_string(map.id)},
          {"name", label_value(map.name)},
          {"type", label_value(map.type)},
          {"owner", label_value(map.owner)}};
}

MetricLabels with(MetricLabels labels, const char *name, std::string_view value) {
  labels.push_back({name, std::string{value}});
  return labels;
}

MetricLabels labels_of_rest() {
  const std::string other{kOther};
  return {{"id", ""}, {"name", other}, {"type", other}, {"owner", other}};
}

std::string_view method_of(const BpfMapSample &map) {
  return kBpfMethodNames[static_cast<std::size_t>(map.fill.method)];
}

// What is known of the rest is worth having.
template <typename ValueOf>
void add_rest(MetricsWriter &out, const Maps &rest, const char *method, ValueOf value_of) {
  std::optional<std::uint64_t> sum;
  for (const BpfMapSample *map : rest)
    if (const std::optional<std::uint64_t> value = value_of(*map))
      sum = sum.value_or(0) + *value;
  if (sum)
    out.sample(with(labels_of_rest(), "method", method), as_number(*sum));
}

void write_memory(MetricsWriter &out, const BpfMetricRows &rows) {
  out.family({"mapscope_bpf_map_memory_bytes", gauge, "bytes",
              "Memory of the kernel that the map holds, as the kernel accounts for it."});
  for (const BpfMapSample *map : rows.shown)
    if (const auto bytes = held_bytes(*map))
      out.sample(with(labels_of(map->facts), "method",
                      kBpfMemoryMethodNames[static_cast<std::size_t>(map->facts.memory_method)]),
                 as_number(*bytes));
  add_rest(out, rows.rest, "other", held_bytes);
}

void write_fill(MetricsWriter &out, const BpfMetricRows &rows) {
  out.family({"mapscope_bpf_map_entries", gauge, "",
              "Entries of the map; the method says how "
              "they were counted."});
  for (const BpfMapSample *map : rows.shown)
    if (map->fill.entries)
      out.sample(with(labels_of(map->facts), "method", method_of(*map)),
                 as_number(*map->fill.entries));
  add_rest(out, rows.rest, "other", [](const BpfMapSample &map) { return map.fill.entries; });
  out.family({"mapscope_bpf_map_used_bytes", gauge, "bytes",
              "Bytes of a ring buffer that its reader has not taken yet."});
  for (const BpfMapSample *map : rows.shown)
    if (map->fill.used_bytes)
      out.sample(with(labels_of(map->facts), "method", method_of(*map)),
                 as_number(*map->fill.used_bytes));
  out.family({"mapscope_bpf_map_max_entries", gauge, "",
              "Entries that the map is made for; of ring buffers, bytes."});
  for (const BpfMapSample *map : rows.shown)
    if (map->facts.max_entries != 0)
      out.sample(labels_of(map->facts), as_number(map->facts.max_entries));
  out.family({"mapscope_bpf_map_fill_ratio", gauge, "ratio",
              "Entries, or bytes of a ring buffer, as a share of what the map is made for."});
  for (const BpfMapSample *map : rows.shown)
    if (map->fill.fill)
      out.sample(with(labels_of(map->facts), "method", method_of(*map)), *map->fill.fill);
  out.family({"mapscope_bpf_map_time_to_full_seconds", gauge, "seconds",
              "When the map will be full if it goes on as of late."});
  for (const BpfMapSample *map : rows.shown)
    if (map->time_to_full && map->time_to_full->seconds)
      out.sample(labels_of(map->facts), *map->time_to_full->seconds);
}

// One family; `value_of` gives an optional number for one side.
template <typename ValueOf>
void write_rates(MetricsWriter &out, const Maps &maps, const MetricDescription &description,
                 BpfRate BpfMapRates::*by_system, BpfRate BpfMapRates::*by_programs,
                 ValueOf value_of) {
  out.family(description);
  for (const BpfMapSample *map : maps) {
    if (!map->rates || map->rates->window_ns == 0)
      continue;
    for (const auto &[side, member] :
         {std::pair{"system_calls", by_system}, std::pair{"programs", by_programs}}) {
      const BpfRate &rate = (*map->rates).*member;
      if (const std::optional<double> value = value_of(rate))
        out.sample(with(with(labels_of(map->facts), "side", side), "method",
                        rate.exact ? "counted" : "estimated"),
                   *value);
    }
  }
}

void write_all_rates(MetricsWriter &out, const Maps &maps) {
  using R = BpfMapRates;
  using Value = std::optional<double>;
  const auto likely = [](const BpfRate &rate) { return rate.exact ? rate.exact : rate.estimate; };
  write_rates(out, maps,
              {"mapscope_bpf_map_lookups_per_second_estimate", gauge, "",
               "Lookups in the map a second, counted in a short window or estimated from runs of "
               "programs."},
              &R::system_lookups, &R::program_lookups, likely);
  write_rates(out, maps,
              {"mapscope_bpf_map_lookups_per_second_lower", gauge, "",
               "Lookups in the map a second, at least."},
              &R::system_lookups, &R::program_lookups, [](const BpfRate &rate) -> Value {
                return rate.exact ? rate.exact : rate.estimate ? Value{rate.lower} : std::nullopt;
              });
  write_rates(out, maps,
              {"mapscope_bpf_map_lookups_per_second_upper", gauge, "",
               "Lookups in the map a second, at most; without a row where nothing bounds them."},
              &R::system_lookups, &R::program_lookups, [](const BpfRate &rate) -> Value {
                return rate.exact ? rate.exact : rate.estimate ? rate.upper : std::nullopt;
              });
  write_rates(out, maps,
              {"mapscope_bpf_map_updates_per_second_estimate", gauge, "",
               "Updates of the map a second, counted or estimated as lookups are."},
              &R::system_updates, &R::program_updates, likely);
  write_rates(out, maps,
              {"mapscope_bpf_map_deletes_per_second_estimate", gauge, "",
               "Deletions from the map a second, counted or estimated as lookups are."},
              &R::system_deletes, &R::program_deletes, likely);
}

void write_totals(MetricsWriter &out, const BpfMapsLook &look) {
  std::uint64_t bytes = 0, own_bytes = 0, own = 0;
  bool is_known = false;
  for (const BpfMapSample &map : look.maps) {
    const auto held = held_bytes(map);
    is_known |= held.has_value();
    bytes += held.value_or(0);
    own += map.facts.is_own ? 1 : 0;
    own_bytes += map.facts.is_own ? held.value_or(0) : 0;
  }
  out.single({"mapscope_bpf_maps", gauge, "", "Maps of the kernel, mapscope's own included."},
             as_number(look.maps.size()));
  out.single({"mapscope_bpf_own_maps", gauge, "", "Maps of the kernel that are mapscope's own."},
             as_number(own));
  if (!is_known)
    return;
  out.single({"mapscope_bpf_maps_memory_bytes", gauge, "bytes",
              "Memory of all maps of the kernel whose memory is known."},
             as_number(bytes));
  out.single({"mapscope_bpf_own_maps_memory_bytes", gauge, "bytes",
              "Memory of the maps that are mapscope's own."},
             as_number(own_bytes));
}

} // namespace

void write_bpf_maps(MetricsWriter &out, const BpfMapsLook &look, std::size_t maps_max) {
  write_totals(out, look);
  const BpfMetricRows rows = choose(look, maps_max);
  write_fill(out, rows);
  write_memory(out, rows);
  write_all_rates(out, rows.shown);
}

} // namespace mapscope
