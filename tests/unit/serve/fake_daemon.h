// A daemon that watches what a test makes up.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/daemon_view.h"

namespace mapscope {

inline WatchedProcess made_up_process(std::uint32_t pid, std::uint64_t map_bytes = 1 << 20) {
  auto census = std::make_shared<CensusSample>();
  census->time_ns = now_ns();
  census->process = {pid, 1};
  census->heap.live_bytes = 4 * map_bytes;
  census->heap.goal_bytes = 8 * map_bytes;
  census->heap.gc_cycles = 12;
  census->map_count = 7;
  census->map_entries = 700;
  census->map_bytes = map_bytes;
  census->map_reclaimable_bytes = map_bytes / 4;
  census->maps.push_back(
      {.address = {0xc000010000},
       .seed = pid,
       .type = "map[string]int",
       .owner = "main.cache",
       .site = SourceFrame{.function = "main.fill", .file = "/src/main.go", .line = 12},
       .len = 500,
       .slots = 1024,
       .bytes = map_bytes / 2,
       .reclaimable_bytes = map_bytes / 4,
       .cause = MapCause::emptied,
       .explanation = "It held 1,000 entries once.",
       .advice = "Make it anew."});
  return {.process = {.key = {pid, 1},
                      .exe = "/srv/app",
                      .command_line = "/srv/app -v",
                      .user = "root",
                      .cgroup = {.path = "/system.slice/app.service", .unit = "app.service"}},
          .go_version = "go1.26.8",
          .map_implementation = "swiss",
          .state = WatchState::watched,
          .census = std::move(census),
          .census_count = 3,
          .census_cpu_ns = 5'000'000,
          .census_last_cpu_ns = 1'500'000,
          .interval_seconds = 60,
          .probe_hits = 9};
}

// Everything that can be known of a map of the kernel is known of it.
inline BpfMapSample made_up_kernel_map(std::uint32_t id, std::uint64_t memory_bytes = 4096) {
  BpfMapSample map;
  map.facts = {.id = id,
               .name = "flow_table",
               .type = "hash",
               .max_entries = 1000,
               .memory_bytes = memory_bytes,
               .memory_method = BpfMemoryMethod::accounted,
               .owner = "flowd.service"};
  map.fill = {.entries = 250, .method = BpfMethod::counted, .fill = 0.25};
  map.rates = BpfMapRates{.window_ns = 200'000'000,
                          .system_lookups = {.exact = 40},
                          .system_updates = {.exact = 4},
                          .system_deletes = {.exact = 2},
                          .program_lookups = {.estimate = 500, .lower = 300, .upper = 900}};
  map.time_to_full = BpfTimeToFull{.seconds = 600, .lower = 500, .upper = 800};
  return map;
}

inline Alert made_up_alert(std::string rule = "map-waste", std::uint64_t resolved_wall_ns = 0) {
  Finding finding{.fingerprint = "0123456789abcdef0123456789abcdef",
                  .rule = rule,
                  .kind = "map-waste",
                  .process = made_up_process(1234).process,
                  .type = "map[string]int",
                  .owner = "main.cache",
                  .site = "main.fill /src/main.go:12",
                  .maps = 1,
                  .numbers = {{"bytes", 1048576}, {"threshold", 0.5}},
                  .summary = "A map gives 512 KiB back if it is rebuilt.",
                  .cause = "It was emptied.",
                  .fix = "Make it anew."};
  return {.finding = std::move(finding),
          .host = "a-host",
          .since_wall_ns = 1'700'000'000'000'000'000,
          .updated_wall_ns = 1'700'000'060'000'000'000,
          .resolved_wall_ns = resolved_wall_ns};
}

// Fields are set before a server is started.
class FakeDaemon : public DaemonView {
public:
  FakeDaemon() {
    told.version = "1.2.3";
    told.start_wall_ns = now_ns(CLOCK_REALTIME) - 90'000'000'000;
    told.config_loaded_wall_ns = told.start_wall_ns;
    told.resident_bytes = 20 << 20;
    told.cpu_ns = 1'500'000'000;
    told.lost = {{"exec_events", 2}, {"ring_full", 0}};
    told.sinks = {{.name = "alertmanager", .delivered = 5, .pending = 1}};
  }

  bool is_ready() const override { return ready; }
  std::string health() const override { return problem; }
  DaemonFigures figures() const override { return told; }
  std::vector<WatchedProcess> processes() const override { return watched; }
  Result<std::shared_ptr<const std::string>> maps_json(std::uint32_t pid) const override {
    if (pid != 1234)
      return fail(Errc::not_found, "process {} is not watched", pid);
    return std::make_shared<const std::string>("{\"schema\":\"mapscope.maps/1\"}\n");
  }
  Result<std::string> profile(std::uint32_t pid) override {
    if (pid != 1234)
      return fail(Errc::not_found, "process {} is not watched", pid);
    ++profiles_begun;
    profiles_allowed.wait(false);
    return profile_bytes;
  }
  std::shared_ptr<const BpfMapsLook> bpf_maps() const override { return kernel_maps; }
  Result<std::shared_ptr<const std::string>> bpf_maps_json() const override {
    if (!kernel_maps)
      return fail(Errc::not_found, "nobody has looked yet");
    return std::make_shared<const std::string>("{\"schema\":\"mapscope.bpf_maps/1\"}\n");
  }
  std::vector<Alert> alerts() const override { return raised; }

  bool ready = true;
  std::string problem;
  DaemonFigures told;
  std::vector<WatchedProcess> watched;
  std::shared_ptr<const BpfMapsLook> kernel_maps;
  std::vector<Alert> raised;
  std::string profile_bytes = "profile";
  std::atomic<bool> profiles_allowed = true; // else they wait
  std::atomic<int> profiles_begun = 0;
};

} // namespace mapscope
