// Sorting, adding up, cutting off; see metric_rows.h.
#include "serve/metric_rows.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "serve/metrics_writer.h"

namespace mapscope {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

ProcessLabels labels_of(const WatchedProcess &watched) {
  const ProcessIdentity &process = watched.process;
  return {.pid = fmt::format("{}", process.key.pid),
          .process = label_value(base_name(process.exe)),
          .container = label_value(process.cgroup.container_id),
          .pod = label_value(process.cgroup.pod_uid),
          .unit = label_value(process.cgroup.unit),
          .go_version = label_value(watched.go_version)};
}

// What is known of one only is not known of both.
void add(std::optional<std::uint64_t> &sum, const std::optional<std::uint64_t> &value) {
  sum = sum && value ? std::optional{*sum + *value} : std::nullopt;
}

// Of a sum over processes, what is known is worth having.
void add_known(std::optional<std::uint64_t> &sum, const std::optional<std::uint64_t> &value) {
  if (value)
    sum = sum.value_or(0) + *value;
}

std::string site_label(const SampledMap &map) {
  if (!map.site)
    return {};
  return label_value(map.site->line == 0 ? map.site->function
                                         : fmt::format("{} {}:{}", map.site->function,
                                                       base_name(map.site->file), map.site->line));
}

// Maps that the same words describe are one row.
std::vector<MapRow> rows_by_labels(const CensusSample &census) {
  std::map<std::tuple<std::string, std::string, std::string>, MapRow> rows;
  for (const SampledMap &map : census.maps) {
    std::string owner =
        label_value(map.owner.empty() && map.is_unreachable ? "unreachable" : map.owner);
    auto labels = std::tuple{label_value(map.type), std::move(owner), site_label(map)};
    MapRow &row = rows[labels];
    ++row.maps;
    row.len += map.len;
    row.bytes += map.bytes;
    add(row.slots, map.slots);
    add(row.reclaimable_bytes, map.reclaimable_bytes);
  }
  std::vector<MapRow> result;
  result.reserve(rows.size());
  for (auto &[labels, row] : rows) {
    std::tie(row.type, row.owner, row.site) = labels;
    result.push_back(std::move(row));
  }
  std::ranges::stable_sort(result, std::ranges::greater{}, &MapRow::bytes);
  return result;
}

std::uint64_t less(std::uint64_t whole, std::uint64_t part) {
  return whole > part ? whole - part : 0; // both may be of different moments
}

// What the process's totals have beyond the rows that are shown.
MapRow rest_of(const CensusSample &census, std::span<const MapRow> shown) {
  MapRow rest{.type = std::string{kOther},
              .owner = std::string{kOther},
              .site = std::string{kOther},
              .slots = std::nullopt};
  std::uint64_t maps = 0, len = 0, bytes = 0, reclaimable = 0;
  for (const MapRow &row : shown) {
    maps += row.maps;
    len += row.len;
    bytes += row.bytes;
    reclaimable += row.reclaimable_bytes.value_or(0);
  }
  rest.maps = less(census.map_count, maps);
  rest.len = less(census.map_entries, len);
  rest.bytes = less(census.map_bytes, bytes);
  if (const auto known = known_reclaimable_bytes(census))
    rest.reclaimable_bytes = less(*known, reclaimable);
  else
    rest.reclaimable_bytes.reset();
  return rest;
}

std::vector<MapRow> map_rows(const CensusSample &census, std::size_t maps_max) {
  std::vector<MapRow> rows = rows_by_labels(census);
  if (rows.size() > maps_max)
    rows.resize(maps_max);
  MapRow rest = rest_of(census, rows);
  if (rest.maps != 0 || rest.bytes != 0)
    rows.push_back(std::move(rest));
  return rows;
}

void add_sizes(const CensusSample &census, ProcessRow &row) {
  add_known(row.heap_live_bytes, census.heap.live_bytes);
  add_known(row.heap_goal_bytes, census.heap.goal_bytes);
  row.maps += census.map_count;
  row.map_entries += census.map_entries;
  row.map_bytes += census.map_bytes;
  add_known(row.map_reclaimable_bytes, known_reclaimable_bytes(census));
}

ProcessRow row_of(const WatchedProcess &process, const ServeConfig &config) {
  ProcessRow row{.labels = labels_of(process),
                 .gc_cycles = process.census->heap.gc_cycles,
                 .censuses = process.census_count,
                 .census_failures = process.census_failures,
                 .census_cpu_ns = process.census_cpu_ns,
                 .probe_hits = process.probe_hits,
                 .probe_cost_ns = process.probe_cost_ns,
                 .census_interval_seconds = process.interval_seconds,
                 .map_rows = map_rows(*process.census, config.metric_maps_max)};
  add_sizes(*process.census, row);
  return row;
}

} // namespace

std::vector<ProcessRow> process_rows(std::span<const WatchedProcess> processes,
                                     const ServeConfig &config) {
  std::vector<const WatchedProcess *> sorted;
  for (const WatchedProcess &process : processes)
    if (process.census)
      sorted.push_back(&process);
  std::ranges::sort(sorted, {}, [](const WatchedProcess *process) {
    return std::pair{~process->census->map_bytes, process->process.key};
  });

  std::vector<ProcessRow> rows;
  std::optional<ProcessRow> other;
  std::set<std::uint32_t> pids; // one that ended may still stand beside its successor
  for (const WatchedProcess *process : sorted) {
    const bool is_new = !pids.contains(process->process.key.pid);
    if (is_new && rows.size() < config.metric_processes_max) {
      rows.push_back(row_of(*process, config));
      pids.insert(process->process.key.pid);
      continue;
    }
    if (!other)
      other = ProcessRow{.labels = {.process = std::string{kOther}}, .is_other = true};
    add_sizes(*process->census, *other);
  }
  if (other)
    rows.push_back(std::move(*other));
  return rows;
}

} // namespace mapscope
