// Documents by nlohmann-json, with their keys in the order in which people read them.
#include "serve/api_json.h"

#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

namespace mapscope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

Json or_null(const std::optional<std::uint64_t> &value) { return value ? Json(*value) : Json(); }
Json or_null(const std::string &text) { return text.empty() ? Json() : Json(text); }

// RFC 3339, with milliseconds.
Json time_json(std::uint64_t wall_ns) {
  if (wall_ns == 0)
    return {};
  const auto seconds = static_cast<std::time_t>(wall_ns / kSecondNs);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds),
                     wall_ns % kSecondNs / 1'000'000);
}

double seconds_of(std::uint64_t time_ns) { return static_cast<double>(time_ns) / 1e9; }

// One line, and whatever bytes the texts are of.
std::string document(std::string_view schema, Json body) {
  Json result = {{"schema", schema}};
  result.update(body);
  return result.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json site_json(const std::optional<SourceFrame> &site) {
  if (!site)
    return {};
  return {{"function", site->function},
          {"file", or_null(site->file)},
          {"line", site->line == 0 ? Json() : Json(site->line)}};
}

// As `maps --json` names them; see docs/json.md.
Json cause_json(MapCause cause) {
  constexpr std::array<std::string_view, 10> kNames = {
      "",         "emptied",     "over_hinted", "mostly_empty", "tombstones",
      "overflow", "old_buckets", "no_hint",     "padding",      "known_defect"};
  return or_null(std::string{kNames[static_cast<std::size_t>(cause)]});
}

Json map_json(const SampledMap &map) {
  return {{"address", fmt::format("{:#x}", map.address.value)},
          {"type", or_null(map.type)},
          {"owner", or_null(map.owner)},
          {"site", site_json(map.site)},
          {"unreachable", map.is_unreachable},
          {"len", map.len},
          {"slots", map.slots},
          {"bytes", map.bytes},
          {"reclaimable_bytes", or_null(map.reclaimable_bytes)},
          {"cause", cause_json(map.cause)},
          {"explanation", or_null(map.explanation)},
          {"advice", or_null(map.advice)}};
}

Json identity_json(const ProcessIdentity &process) {
  return {{"pid", process.key.pid},
          {"exe", process.exe},
          {"command_line", or_null(process.command_line)},
          {"uid", process.uid},
          {"user", or_null(process.user)},
          {"container_id", or_null(process.cgroup.container_id)},
          {"pod_uid", or_null(process.cgroup.pod_uid)},
          {"unit", or_null(process.cgroup.unit)},
          {"cgroup", or_null(process.cgroup.path)}};
}

Json heap_json(const HeapStatistics &heap) {
  return {{"live_bytes", or_null(heap.live_bytes)},
          {"allocated_bytes", or_null(heap.allocated_bytes)},
          {"in_use_bytes", or_null(heap.in_use_bytes)},
          {"goal_bytes", or_null(heap.goal_bytes)},
          {"limit_bytes", or_null(heap.limit_bytes)},
          {"gc_cycles", or_null(heap.gc_cycles)}};
}

Json limits_json(const MemoryLimits &limits) {
  return {{"resident_bytes", limits.resident_bytes == 0 ? Json() : Json(limits.resident_bytes)},
          {"cgroup_bytes", or_null(limits.cgroup_bytes)},
          {"cgroup_limit_bytes", or_null(limits.cgroup_limit_bytes)},
          {"go_used_bytes", or_null(limits.go_used_bytes)},
          {"go_limit_bytes", or_null(limits.go_limit_bytes)}};
}

Json census_json(const WatchedProcess &process, Now now) {
  if (!process.census)
    return {};
  const CensusSample &census = *process.census;
  const std::uint64_t age_ns =
      now.monotonic_ns > census.time_ns ? now.monotonic_ns - census.time_ns : 0;
  return {{"time", time_json(now.wall_ns > age_ns ? now.wall_ns - age_ns : 0)},
          {"age_seconds", seconds_of(age_ns)},
          {"unchanged", census.is_unchanged},
          {"cpu_seconds", seconds_of(process.census_last_cpu_ns)},
          {"totals",
           {{"maps", census.map_count},
            {"entries", census.map_entries},
            {"bytes", census.map_bytes},
            {"reclaimable_bytes", or_null(known_reclaimable_bytes(census))},
            {"reclaimable_unknown", census.map_reclaimable_unknown},
            {"unsettled", process.maps_unsettled}}},
          {"heap", heap_json(census.heap)},
          {"limits", limits_json(census.limits)}};
}

std::string_view state_name(WatchState state) {
  constexpr std::array<std::string_view, 3> kNames = {"waiting", "watched", "refused"};
  return kNames[static_cast<std::size_t>(state)];
}

Json watched_json(const WatchedProcess &process, Now now) {
  Json result = identity_json(process.process);
  result.update(
      {{"state", state_name(process.state)},
       {"problem", or_null(process.problem)},
       {"go_version", or_null(process.go_version)},
       {"map_implementation", or_null(process.map_implementation)},
       {"interval_seconds", process.interval_seconds > 0 ? Json(process.interval_seconds) : Json()},
       {"census", census_json(process, now)},
       {"censuses",
        {{"count", process.census_count},
         {"failures", process.census_failures},
         {"skipped", process.census_skipped},
         {"cpu_seconds", seconds_of(process.census_cpu_ns)}}},
       {"probes",
        {{"attached", process.probes_attached},
         {"refused", process.probes_refused},
         {"hits", process.probe_hits},
         {"flashes", process.flashes},
         {"cost_seconds", seconds_of(process.probe_cost_ns)}}},
       {"verifications",
        {{"count", process.verifications}, {"verdict", or_null(process.verdict)}}}});
  return result;
}

Json bpf_map_json(const std::optional<FindingBpfMap> &map) {
  if (!map)
    return {};
  return {{"id", map->id},
          {"name", or_null(map->name)},
          {"method", or_null(map->method)},
          {"key_file", or_null(map->key_file)}};
}

Json alert_json(const Alert &alert) {
  const Finding &finding = alert.finding;
  return {{"fingerprint", finding.fingerprint},
          {"state", alert.resolved_wall_ns == 0 ? "firing" : "resolved"},
          {"rule", finding.rule},
          {"kind", finding.kind},
          {"severity", kSeverityNames[static_cast<std::size_t>(finding.severity)]},
          {"silenced", alert.is_silenced},
          {"since", time_json(alert.since_wall_ns)},
          {"updated", time_json(alert.updated_wall_ns)},
          {"resolved", time_json(alert.resolved_wall_ns)},
          {"host", alert.host},
          {"process", finding.bpf_map ? Json() : identity_json(finding.process)},
          {"bpf_map", bpf_map_json(finding.bpf_map)},
          {"type", or_null(finding.type)},
          {"owner", or_null(finding.owner)},
          {"site", or_null(finding.site)},
          {"maps", finding.maps == 0 ? Json() : Json(finding.maps)},
          {"numbers", Json(finding.numbers)},
          {"summary", finding.summary},
          {"cause", or_null(finding.cause)},
          {"fix", or_null(finding.fix)},
          {"resolution", or_null(finding.resolution)},
          {"labels", Json(finding.labels)}};
}

Json sink_json(const SinkFigures &sink) {
  return {{"name", sink.name},
          {"delivered", sink.delivered},
          {"failed_attempts", sink.failed_attempts},
          {"pending", sink.pending},
          {"dropped", sink.dropped},
          {"last_error", or_null(sink.last_error)}};
}

Json processes_by_state(const DaemonView &view) {
  std::array<std::uint64_t, 3> counts{};
  for (const WatchedProcess &process : view.processes())
    ++counts[static_cast<std::size_t>(process.state)];
  Json result;
  for (const WatchState state : {WatchState::watched, WatchState::waiting, WatchState::refused})
    result[std::string{state_name(state)}] = counts[static_cast<std::size_t>(state)];
  return result;
}

Json findings_by_state(const DaemonView &view) {
  std::uint64_t firing = 0, silenced = 0, resolved = 0;
  for (const Alert &alert : view.alerts()) {
    ++(alert.resolved_wall_ns == 0 ? firing : resolved);
    silenced += alert.resolved_wall_ns == 0 && alert.is_silenced ? 1 : 0;
  }
  return {{"firing", firing}, {"silenced", silenced}, {"resolved", resolved}};
}

Json work_json(const DaemonFigures &figures) {
  return {{"censuses",
           {{"count", figures.censuses},
            {"failures", figures.census_failures},
            {"skipped", figures.census_skipped},
            {"cpu_seconds", seconds_of(figures.census_cpu_ns)},
            {"backlog_seconds", figures.census_backlog_seconds}}},
          {"bpf_maps",
           {{"looks", figures.bpf_looks},
            {"failures", figures.bpf_look_failures},
            {"cpu_seconds", seconds_of(figures.bpf_cpu_ns)},
            {"key_files", figures.bpf_key_files}}},
          {"throttled", figures.is_throttled},
          {"throttlings", figures.throttled_count},
          {"probes",
           {{"hits", figures.probe_hits},
            {"flashes", figures.flashes},
            {"verify_windows", figures.verify_windows},
            {"system_calls_attached", figures.system_calls_attached}}}};
}

} // namespace

std::string status_json(const DaemonView &view, Now now) {
  const DaemonFigures figures = view.figures();
  const std::uint64_t up_ns =
      now.wall_ns > figures.start_wall_ns ? now.wall_ns - figures.start_wall_ns : 0;
  Json sinks = Json::array();
  for (const SinkFigures &sink : figures.sinks)
    sinks.push_back(sink_json(sink));
  Json processes = processes_by_state(view);
  processes["seen"] = figures.processes_seen;
  processes["execs_seen"] = figures.execs_seen;
  Json body = {{"version", figures.version},
               {"started", time_json(figures.start_wall_ns)},
               {"up_seconds", seconds_of(up_ns)},
               {"ready", view.is_ready()},
               {"health", or_null(view.health())},
               {"problems", figures.problems},
               {"config",
                {{"loaded", time_json(figures.config_loaded_wall_ns)},
                 {"reload_failed", figures.config_reload_failed},
                 {"problem", or_null(figures.config_problem)}}},
               {"self",
                {{"cpu_seconds", seconds_of(figures.cpu_ns)},
                 {"resident_bytes", figures.resident_bytes},
                 {"open_descriptors", figures.open_descriptors},
                 {"threads", figures.threads},
                 {"parser_children", figures.parser_children},
                 {"parser_deaths", figures.parser_deaths}}},
               {"processes", std::move(processes)},
               {"findings", findings_by_state(view)},
               {"alerts",
                {{"silenced", figures.alerts_silenced},
                 {"rate_limited", figures.alerts_rate_limited},
                 {"kept_in_memory", figures.alerts_kept_in_memory},
                 {"sinks", std::move(sinks)}}},
               {"lost", Json(figures.lost)}};
  body.update(work_json(figures));
  return document("mapscope.status/1", std::move(body));
}

std::string processes_json(std::span<const WatchedProcess> processes, std::size_t not_shown,
                           Now now) {
  Json rows = Json::array();
  for (const WatchedProcess &process : processes)
    rows.push_back(watched_json(process, now));
  return document("mapscope.processes/1",
                  {{"processes", std::move(rows)}, {"not_shown", not_shown}});
}

std::string process_json(const WatchedProcess &process, Now now) {
  Json maps = Json::array();
  if (process.census)
    for (const SampledMap &map : process.census->maps)
      maps.push_back(map_json(map));
  return document("mapscope.process/1",
                  {{"process", watched_json(process, now)}, {"maps", std::move(maps)}});
}

std::string findings_json(std::span<const Alert> alerts) {
  Json rows = Json::array();
  for (const Alert &alert : alerts)
    rows.push_back(alert_json(alert));
  return document("mapscope.findings/1", {{"findings", std::move(rows)}});
}

} // namespace mapscope
