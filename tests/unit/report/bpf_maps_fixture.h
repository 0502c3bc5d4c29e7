// Looks at kernel maps, made up.
#pragma once

#include "report/bpf_maps_report.h"

namespace mapscope {

inline BpfMapRow flow_table() {
  BpfMapRow row;
  row.map.facts = {
      .id = 42,
      .name = "flow_table",
      .type = "lru_hash",
      .type_number = 9,
      .key_bytes = 16,
      .value_bytes = 64,
      .max_entries = 65'536,
      .flags = 2,
      .flag_names = {"BPF_F_NO_COMMON_LRU"},
      .btf_id = 7,
      .key_type = "struct flow_key",
      .value_type = "struct flow",
      .is_frozen = false,
      .memory_bytes = 5U << 20,
      .memory_method = BpfMemoryMethod::accounted,
      .pinned_paths = {"/sys/fs/bpf/flow_table"},
      .programs = {{.id = 12, .name = "count_flows", .type = "xdp"}},
      .holders = {{.process = {.key = {.pid = 815}, .exe = "/usr/bin/flowd"}, .directly = true}},
      .owner = "flowd.service",
      .created_before_wall_ns = 1'700'000'000'000'000'000,
      .created_by_word = "program 12 was loaded"};
  row.map.fill = {.entries = 51'200,
                  .method = BpfMethod::counted,
                  .fill = 0.78125,
                  .note = "its counter of elements"};
  BpfMapRates rates{.window_ns = 1'000'000'000};
  rates.system_lookups.exact = 310;
  rates.system_updates.exact = 0;
  rates.system_deletes.exact = 0;
  rates.program_lookups = {.estimate = 1'000, .lower = 500, .upper = 2'000};
  rates.program_updates = {.estimate = 40, .lower = 10, .note = "a loop bounds it not"};
  rates.program_deletes = {.note = "not seen"};
  rates.insert_failures = {{"E2BIG", 2}};
  row.map.rates = rates;
  row.map.time_to_full = BpfTimeToFull{.seconds = 7'200,
                                       .lower = 3'600,
                                       .upper = 10'800,
                                       .entries_per_second = 2,
                                       .note = "by 6 looks in 50.0 s"};
  row.advice = {"be careful"};
  return row;
}

inline BpfMapRow events_ring() {
  BpfMapRow row;
  row.map.facts = {.id = 7, .name = "events", .type = "ringbuf", .max_entries = 262'144};
  row.map.fill = {.used_bytes = 2'621, .method = BpfMethod::counted, .fill = 0.01};
  return row;
}

inline BpfMapRow queue_without_keys() {
  BpfMapRow row;
  row.map.facts = {
      .id = 9, .name = "bad\x1b[2J", .type = "queue", .max_entries = 16, .is_own = true};
  row.map.fill = {.note = "a queue has no keys to go through"};
  return row;
}

inline BpfMapsReport bpf_report() {
  BpfMapsReport report{.wall_time_ns = 1'700'000'000'000'000'000, .selected = 4};
  report.rows = {flow_table(), events_ring(), queue_without_keys()};
  report.totals = {.maps = 5,
                   .own_maps = 1,
                   .memory_bytes = 6U << 20,
                   .own_memory_bytes = 4'096,
                   .memory_unknown = 2,
                   .counted = 3,
                   .unknown = 2};
  report.cpu_ns = 1'500'000;
  report.vanished = 1;
  report.not_counted = 2;
  report.problems = {"runs of programs are not counted: refused"};
  return report;
}

} // namespace mapscope
