// What it takes to tell how many entries the kernel's maps have.
//
//   bpf_map_benchmark [ENTRIES]
//
// Makes a hash map with so many entries (10 million), and for a line each: loads the programs that
// count, counts by them, goes through keys within 100 ms of CPU time, goes through all keys, and
// counts 1000 small maps beside it. Then the same of a map of that limit which is nearly empty.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <linux/bpf.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/bpf_maps/map_counter.h"
#include "support/every_bpf_map.h"
#include "support/made_map_facts.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kSmallMaps = 1000;

double as_ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

void measure(const char *what, MapCounter &counter, std::span<const BpfMapFacts> maps,
             const MapCounterOptions &options) {
  const std::uint64_t begin = now_ns();
  const MapCounts counts = counter.count(maps, options);
  const std::uint64_t wall_ns = now_ns() - begin;
  const BpfMapFill &fill = counts.fills.front();
  fmt::print("{:<44} {:8.2f} ms CPU {:8.2f} ms wall, {} {} of {} maps not whole, {} +- {}: {}\n",
             what, as_ms(counts.cpu_ns), as_ms(wall_ns),
             kBpfMethodNames[static_cast<std::size_t>(fill.method)], counts.not_counted,
             maps.size(), fill.entries ? fmt::format("{}", *fill.entries) : "unknown", fill.error,
             fill.note);
}

void measure_map(MapCounter &counter, const testing::MadeBpfMap &map) {
  const BpfMapFacts facts = testing::facts_of(map);
  const std::span<const BpfMapFacts> one{&facts, 1};
  measure("by what the kernel keeps", counter, one, {});
  measure("by keys, budget of 100 ms", counter, one, {.use_programs = false});
  measure("by all keys", counter, one, {.budget = std::chrono::minutes{10}, .use_programs = false});
}

int run_map_benchmark(std::uint32_t entries) {
  if (::geteuid() != 0) {
    fmt::print("BPF maps need root\n");
    return 0;
  }
  const std::uint64_t begin_cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
  MapCounter counter = MapCounter::start();
  fmt::print("{:<44} {:8.2f} ms CPU {}\n", "loading the programs",
             as_ms(now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_cpu), counter.problem());
  for (const std::uint32_t amount : {entries, std::min(entries, 10u)}) {
    for (const std::uint32_t flags : {std::uint32_t{BPF_F_NO_PREALLOC}, 0u}) {
      auto map = testing::make_bpf_map("hash", "bench_large", entries, flags);
      if (!map || !testing::put_bpf_keys(*map, 0, amount)) {
        fmt::print("no map of {} entries can be made\n", entries);
        continue;
      }
      fmt::print("{} entries of {}, {}\n", amount, entries,
                 flags == 0 ? "preallocated" : "not preallocated");
      measure_map(counter, *map);
    }
  }
  std::vector<testing::MadeBpfMap> small;
  std::vector<BpfMapFacts> facts;
  for (std::uint32_t i = 0; i < kSmallMaps; ++i) {
    auto map = testing::make_bpf_map("hash", "bench_small", 100);
    if (!map || !testing::put_bpf_keys(*map, 0, 50))
      break;
    facts.push_back(testing::facts_of(*map));
    small.push_back(std::move(*map));
  }
  fmt::print("{} maps of 50 entries\n", small.size());
  measure("by what the kernel keeps", counter, facts, {});
  measure("by keys, budget of 100 ms", counter, facts, {.use_programs = false});
  return 0;
}

} // namespace
} // namespace mapscope

int main(int count, char **words) {
  const long entries = count > 1 ? std::atol(words[1]) : 10'000'000;
  return mapscope::run_map_benchmark(
      static_cast<std::uint32_t>(std::clamp(entries, 1l, 100'000'000l)));
}
