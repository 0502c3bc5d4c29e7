// Every family of the daemon's metrics, in the order in which they are written; see metrics.h.
#include "serve/metrics.h"

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serve/bpf_metrics.h"
#include "serve/metric_rows.h"
#include "serve/metrics_writer.h"

namespace mapscope {
namespace {

using enum MetricKind;

double as_number(std::uint64_t value) { return static_cast<double>(value); }
double as_seconds(std::uint64_t time_ns) { return static_cast<double>(time_ns) / 1e9; }

MetricLabels labels_of(const ProcessLabels &labels) {
  return {{"pid", labels.pid}, {"process", labels.process}, {"container", labels.container},
          {"pod", labels.pod}, {"unit", labels.unit},       {"go_version", labels.go_version}};
}

// --- what is watched ---

// `value_of` gives an optional number: rows without one are left out.
template <typename ValueOf>
void write_for_processes(MetricsWriter &out, std::span<const ProcessRow> rows,
                         const MetricDescription &description, ValueOf value_of) {
  out.family(description);
  for (const ProcessRow &row : rows)
    if (const std::optional<double> value = value_of(row))
      out.sample(labels_of(row.labels), *value);
}

std::optional<double> known(const std::optional<std::uint64_t> &value) {
  return value ? std::optional{as_number(*value)} : std::nullopt;
}

void write_process_sizes(MetricsWriter &out, std::span<const ProcessRow> rows) {
  const auto write = [&](const MetricDescription &description, auto value_of) {
    write_for_processes(out, rows, description, value_of);
  };
  write({"mapscope_process_heap_live_bytes", gauge, "bytes",
         "Bytes of the heap that the last collection found alive."},
        [](const ProcessRow &row) { return known(row.heap_live_bytes); });
  write({"mapscope_process_heap_goal_bytes", gauge, "bytes",
         "Size of the heap at which the next collection ends."},
        [](const ProcessRow &row) { return known(row.heap_goal_bytes); });
  write({"mapscope_process_maps", gauge, "", "Maps on the heap."},
        [](const ProcessRow &row) { return known(row.maps); });
  write({"mapscope_process_map_entries", gauge, "", "Entries of all maps together."},
        [](const ProcessRow &row) { return known(row.map_entries); });
  write({"mapscope_process_map_bytes", gauge, "bytes", "Bytes of the heap that maps hold."},
        [](const ProcessRow &row) { return known(row.map_bytes); });
  write({"mapscope_process_map_reclaimable_bytes", gauge, "bytes",
         "Bytes that rebuilding every map would free."},
        [](const ProcessRow &row) { return known(row.map_reclaimable_bytes); });
  write({"mapscope_process_map_share_ratio", gauge, "ratio",
         "Bytes of maps as a share of the live heap; above 1 while garbage is among them."},
        [](const ProcessRow &row) -> std::optional<double> {
          if (row.is_other || row.heap_live_bytes.value_or(0) == 0)
            return std::nullopt;
          return as_number(row.map_bytes) / as_number(*row.heap_live_bytes);
        });
}

// Counters, and what an average would say nothing of: of each process by itself only.
void write_process_work(MetricsWriter &out, std::span<const ProcessRow> rows) {
  const auto write = [&](const MetricDescription &description, auto value_of) {
    write_for_processes(out, rows, description, [&](const ProcessRow &row) {
      return row.is_other ? std::nullopt : std::optional<double>{value_of(row)};
    });
  };
  write_for_processes(out, rows,
                      {"mapscope_process_gc_cycles_total", counter, "",
                       "Collections that the process has finished since its start."},
                      [](const ProcessRow &row) { return known(row.gc_cycles); });
  write({"mapscope_process_censuses_total", counter, "", "Censuses taken of the process."},
        [](const ProcessRow &row) { return as_number(row.censuses); });
  write({"mapscope_process_census_failures_total", counter, "",
         "Censuses of the process that failed."},
        [](const ProcessRow &row) { return as_number(row.census_failures); });
  write({"mapscope_process_census_cpu_seconds_total", counter, "seconds",
         "CPU time of mapscope for censuses of the process."},
        [](const ProcessRow &row) { return as_seconds(row.census_cpu_ns); });
  write({"mapscope_process_census_interval_seconds", gauge, "seconds",
         "Time between the last census of the process and its next."},
        [](const ProcessRow &row) { return row.census_interval_seconds; });
  write({"mapscope_process_probe_hits_total", counter, "",
         "Hits of probes in the process, each of which costs it time."},
        [](const ProcessRow &row) { return as_number(row.probe_hits); });
  write({"mapscope_process_probe_cost_seconds_total", counter, "seconds",
         "Time that probes have cost the process, estimated."},
        [](const ProcessRow &row) { return as_seconds(row.probe_cost_ns); });
}

template <typename ValueOf>
void write_for_maps(MetricsWriter &out, std::span<const ProcessRow> rows,
                    const MetricDescription &description, ValueOf value_of) {
  out.family(description);
  for (const ProcessRow &process : rows)
    for (const MapRow &map : process.map_rows)
      if (const std::optional<std::uint64_t> value = value_of(map))
        out.sample({{"pid", process.labels.pid},
                    {"process", process.labels.process},
                    {"type", map.type},
                    {"owner", map.owner},
                    {"site", map.site}},
                   as_number(*value));
}

void write_maps(MetricsWriter &out, std::span<const ProcessRow> rows) {
  using Value = std::optional<std::uint64_t>;
  write_for_maps(out, rows,
                 {"mapscope_map_instances", gauge, "", "Maps that have these labels together."},
                 [](const MapRow &map) -> Value { return map.maps; });
  write_for_maps(out, rows, {"mapscope_map_len", gauge, "", "Entries of these maps."},
                 [](const MapRow &map) -> Value { return map.len; });
  write_for_maps(out, rows,
                 {"mapscope_map_slots", gauge, "", "Entries that these maps have room for."},
                 [](const MapRow &map) { return map.slots; });
  write_for_maps(out, rows,
                 {"mapscope_map_bytes", gauge, "bytes", "Bytes of the heap that these maps hold."},
                 [](const MapRow &map) -> Value { return map.bytes; });
  write_for_maps(out, rows,
                 {"mapscope_map_reclaimable_bytes", gauge, "bytes",
                  "Bytes that rebuilding these maps would free."},
                 [](const MapRow &map) { return map.reclaimable_bytes; });
}

// --- the daemon's own work ---

void write_processes_by_state(MetricsWriter &out, std::span<const WatchedProcess> processes) {
  std::array<std::uint64_t, 3> counts{};
  for (const WatchedProcess &process : processes)
    ++counts[static_cast<std::size_t>(process.state)];
  out.family({"mapscope_processes", gauge, "",
              "Go processes: watched, waiting for their first census, or refused since they can't "
              "be looked at."});
  constexpr std::array kStates = {"waiting", "watched", "refused"};
  for (std::size_t state = 0; state < kStates.size(); ++state)
    out.sample({{"state", kStates[state]}}, as_number(counts[state]));
}

void write_findings(MetricsWriter &out, std::span<const Alert> alerts) {
  std::map<std::pair<std::string, Severity>, std::uint64_t> firing;
  for (const Alert &alert : alerts)
    if (alert.resolved_wall_ns == 0)
      ++firing[{alert.finding.rule, alert.finding.severity}];
  out.family({"mapscope_findings_firing", gauge, "",
              "Findings that fire right now, silenced ones included."});
  for (const auto &[rule, count] : firing)
    out.sample({{"rule", label_value(rule.first)},
                {"severity", std::string{kSeverityNames[static_cast<std::size_t>(rule.second)]}}},
               as_number(count));
}

void write_alerts(MetricsWriter &out, const DaemonFigures &figures) {
  const auto write = [&](const MetricDescription &description, auto member) {
    out.family(description);
    for (const SinkFigures &sink : figures.sinks)
      out.sample({{"sink", label_value(sink.name)}}, as_number(sink.*member));
  };
  write({"mapscope_alerts_delivered_total", counter, "", "Alerts that the sink has taken."},
        &SinkFigures::delivered);
  write({"mapscope_alerts_failed_attempts_total", counter, "",
         "Attempts to deliver that the sink did not take; they are made again."},
        &SinkFigures::failed_attempts);
  write({"mapscope_alerts_pending", gauge, "", "Alerts that wait for the sink."},
        &SinkFigures::pending);
  write({"mapscope_alerts_dropped_total", counter, "",
         "Alerts that the sink will not get, since its queue was full."},
        &SinkFigures::dropped);
  out.single({"mapscope_alerts_silenced_total", counter, "", "Alerts that a silence held back."},
             as_number(figures.alerts_silenced));
  out.single({"mapscope_alerts_rate_limited_total", counter, "",
              "Alerts beyond what a rule may tell in an hour."},
             as_number(figures.alerts_rate_limited));
  out.single(
      {"mapscope_alerts_kept_in_memory", gauge, "", "Alerts that the database could not take yet."},
      as_number(figures.alerts_kept_in_memory));
}

void write_work(MetricsWriter &out, const DaemonFigures &figures) {
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.single({name, counter, "", help}, as_number(value));
  };
  count("mapscope_processes_seen_total", "Processes that were looked at to tell Go programs.",
        figures.processes_seen);
  count("mapscope_execs_seen_total", "Execs that the kernel told of.", figures.execs_seen);
  count("mapscope_censuses_total", "Censuses taken.", figures.censuses);
  count("mapscope_census_failures_total", "Censuses that failed.", figures.census_failures);
  count("mapscope_census_skipped_total", "Censuses left out, since the process had not run.",
        figures.census_skipped);
  out.single({"mapscope_census_cpu_seconds_total", counter, "seconds", "CPU time of all censuses."},
             as_seconds(figures.census_cpu_ns));
  out.single({"mapscope_census_backlog_seconds", gauge, "seconds",
              "How late the census is that is due longest."},
             figures.census_backlog_seconds);
  out.single(
      {"mapscope_throttled", gauge, "", "1 while a guardrail makes the daemon look less often."},
      figures.is_throttled ? 1 : 0);
  count("mapscope_throttlings_total", "How often a guardrail began to slow the daemon down.",
        figures.throttled_count);
  count("mapscope_probe_hits_total", "Hits of probes in all processes.", figures.probe_hits);
  count("mapscope_flashes_total", "Moments for which probes were placed to learn sites and rates.",
        figures.flashes);
  count("mapscope_verify_windows_total", "File I/O verifications that ended.",
        figures.verify_windows);
  count("mapscope_bpf_looks_total", "Looks at the kernel's own maps.", figures.bpf_looks);
  count("mapscope_bpf_look_failures_total", "Looks at the kernel's own maps that failed.",
        figures.bpf_look_failures);
  out.single({"mapscope_bpf_cpu_seconds_total", counter, "seconds",
              "CPU time of looks at the kernel's own maps."},
             as_seconds(figures.bpf_cpu_ns));
  count("mapscope_bpf_key_files_total", "Files written with the keys of a map that was full.",
        figures.bpf_key_files);
  out.single({"mapscope_system_calls_attached", gauge, "",
              "1 while tracepoints of system calls are attached, which all processes pay for."},
             figures.system_calls_attached ? 1 : 0);
  out.single({"mapscope_parser_children", gauge, "",
              "Confined children that parse executables right now."},
             as_number(figures.parser_children));
  count("mapscope_parser_deaths_total", "Of these, those that died, hung or answered nonsense.",
        figures.parser_deaths);
  out.family({"mapscope_lost_total", counter, "", "What was lost, by its name."});
  for (const auto &[what, lost] : figures.lost)
    out.sample({{"what", label_value(what)}}, as_number(lost));
}

void write_state(MetricsWriter &out, const DaemonView &view, const DaemonFigures &figures) {
  out.family({"mapscope_build_info", info, "", "The version that runs."});
  out.sample({{"version", label_value(figures.version)}}, 1);
  out.single({"mapscope_ready", gauge, "", "1 once the first scan of the host is done."},
             view.is_ready() ? 1 : 0);
  out.single({"mapscope_healthy", gauge, "", "0: /healthz says why."},
             view.health().empty() ? 1 : 0);
  out.single({"mapscope_config_last_reload_successful", gauge, "",
              "0: the file was wrong, and what stood there before is in force."},
             figures.config_reload_failed ? 0 : 1);
  out.single({"mapscope_config_last_reload_success_timestamp_seconds", gauge, "seconds",
              "When the configuration in force was read, since 1970."},
             as_seconds(figures.config_loaded_wall_ns));
  out.single({"mapscope_threads", gauge, "", "Threads of the daemon."}, as_number(figures.threads));
}

// By the names that every process has them under.
void write_self(MetricsWriter &out, const DaemonFigures &figures) {
  out.single({"process_cpu_seconds_total", counter, "seconds", "CPU time of the daemon."},
             as_seconds(figures.cpu_ns));
  out.single({"process_resident_memory_bytes", gauge, "bytes", "Resident memory of the daemon."},
             as_number(figures.resident_bytes));
  out.single({"process_open_fds", gauge, "", "Descriptors that the daemon has open."},
             as_number(figures.open_descriptors));
  out.single(
      {"process_start_time_seconds", gauge, "seconds", "When the daemon started, since 1970."},
      as_seconds(figures.start_wall_ns));
}

} // namespace

std::string metrics_text(const DaemonView &view, const ServeConfig &config, MetricsFormat format) {
  MetricsWriter out{format};
  const DaemonFigures figures = view.figures();
  write_state(out, view, figures);
  write_work(out, figures);
  write_alerts(out, figures);
  write_findings(out, view.alerts());
  std::vector<ProcessRow> rows;
  {
    const std::vector<WatchedProcess> processes = view.processes();
    write_processes_by_state(out, processes);
    rows = process_rows(processes, config);
  }
  write_process_sizes(out, rows);
  write_process_work(out, rows);
  write_maps(out, rows);
  if (const auto look = view.bpf_maps())
    write_bpf_maps(out, *look, config.metric_maps_max);
  write_self(out, figures);
  return std::move(out).finish();
}

} // namespace mapscope
