// What one scrape costs: metrics and the list of processes of a busy host.
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "serve/api_json.h"
#include "serve/metrics.h"
#include "unit/serve/fake_daemon.h"

namespace mapscope {
namespace {

void fill(FakeDaemon &daemon, std::int64_t processes, std::uint64_t maps) {
  for (std::int64_t i = 0; i < processes; ++i) {
    daemon.watched.push_back(made_up_process(static_cast<std::uint32_t>(1000 + i), 1 << 30));
    auto census = std::make_shared<CensusSample>(*daemon.watched.back().census);
    const SampledMap map = census->maps[0];
    census->maps.clear();
    for (std::uint64_t at = 0; at < maps; ++at) {
      census->maps.push_back(map);
      census->maps.back().owner = fmt::format("main.cache{}", at);
    }
    daemon.watched.back().census = census;
  }
}

void metrics(benchmark::State &state, MetricsFormat format) {
  FakeDaemon daemon;
  fill(daemon, state.range(0), 20);
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = metrics_text(daemon, {}, format).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}

void prometheus_text(benchmark::State &state) { metrics(state, MetricsFormat::prometheus); }
void open_metrics(benchmark::State &state) { metrics(state, MetricsFormat::open_metrics); }

void list_of_processes(benchmark::State &state) {
  FakeDaemon daemon;
  fill(daemon, state.range(0), 20);
  for (auto _ : state)
    benchmark::DoNotOptimize(processes_json(daemon.watched, 0, {}));
}

BENCHMARK(prometheus_text)->Arg(0)->Arg(200)->Unit(benchmark::kMillisecond);
BENCHMARK(open_metrics)->Arg(200)->Unit(benchmark::kMillisecond);
BENCHMARK(list_of_processes)->Arg(200)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace mapscope
