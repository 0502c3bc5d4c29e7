// What a census costs: workloads/census with a million maps in 1.2 GB, beside one with ten
// thousand. CPU is that of user and kernel together; "rss_mb" is how much the process grew at its
// peak.
//
//   tools/build-workloads --mode plain census
//   MAPSCOPE_GO=1.22.12 build/bench/benchmarks/heap_benchmark
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "heap/census.h"
#include "heap/census_memory.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

// The program of that size; the last one that was asked for keeps running.
CensusProgram &program_of(std::int64_t map_count) {
  static std::int64_t running = -1;
  static std::unique_ptr<CensusProgram> program;
  if (running != map_count) {
    const char *version = std::getenv("MAPSCOPE_GO");
    std::string path = std::string(SOURCE_DIRECTORY "/build/workloads/") +
                       (version == nullptr ? "1.26.8" : version) + "/plain/census";
    program.reset();
    program = std::make_unique<CensusProgram>(
        path, std::vector<std::string>{"-n", std::to_string(map_count), "-silent", "-noise", "0"});
    running = map_count;
  }
  return *program;
}

// VmHWM or VmRSS of this process.
double status_mb(const std::string &name) {
  std::ifstream words{"/proc/self/status"};
  for (std::string word; words >> word;)
    if (word == name + ":") {
      double kilobytes = 0;
      words >> kilobytes;
      return kilobytes / 1024;
    }
  return 0;
}

// Begins VmHWM anew; returns VmRSS.
double begin_peak() {
  ::malloc_trim(0);
  std::ofstream{"/proc/self/clear_refs"} << 5;
  return status_mb("VmRSS");
}

void take(benchmark::State &state, const CensusOptions &options) {
  CensusProgram &program = program_of(state.range(0));
  if (!program.is_ready())
    return state.SkipWithError("the program is not built, or did not get ready");
  double before = begin_peak();
  CensusCounts counts;
  for (auto _ : state) {
    auto census = take_census(program.memory(), program.anchors, program.facts, options);
    if (!census)
      return state.SkipWithError(census.error().message().c_str());
    counts = census->counts;
  }
  state.counters["maps"] = static_cast<double>(counts.map_count);
  state.counters["retried"] = static_cast<double>(counts.retried_count);
  state.counters["rss_mb"] = status_mb("VmHWM") - before;
}

// A census of a process that an earlier one has seen.
void census_again(benchmark::State &state) {
  CensusProgram &program = program_of(state.range(0));
  if (!program.is_ready())
    return state.SkipWithError("the program is not built, or did not get ready");
  CensusMemory memory;
  if (!take_census(program.memory(), program.anchors, program.facts, {.memory = &memory}))
    return state.SkipWithError("the first census failed");
  double before = begin_peak();
  for (auto _ : state) {
    auto census =
        take_census(program.memory(), program.anchors, program.facts, {.memory = &memory});
    if (!census)
      return state.SkipWithError(census.error().message().c_str());
    benchmark::DoNotOptimize(census->maps.size());
  }
  state.counters["maps"] = static_cast<double>(memory.size());
  state.counters["rss_mb"] = status_mb("VmHWM") - before;
}

// The floor: what it costs to copy all writable memory of the program once.
void copy_all(benchmark::State &state) {
  CensusProgram &program = program_of(state.range(0));
  auto mappings = program.memory().mappings();
  if (!program.is_ready() || !mappings)
    return state.SkipWithError("the program is not built, or did not get ready");
  constexpr std::uint64_t kPieceBytes = 1 << 18;
  std::vector<std::byte> buffer(kPieceBytes);
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const Mapping &mapping : *mappings)
      for (std::uint64_t at = 0; mapping.is_writable && at < mapping.size_bytes;
           at += kPieceBytes) {
        MemoryRead read{{mapping.start.value + at},
                        std::span{buffer}.first(std::min(kPieceBytes, mapping.size_bytes - at))};
        if (!program.memory().read({&read, 1}))
          return state.SkipWithError("the program has ended");
        bytes += read.into.size();
      }
  }
  state.counters["mb"] = static_cast<double>(bytes) / 1e6;
}

void census_headers(benchmark::State &state) { take(state, {.level = CensusLevel::headers}); }
void census_maps(benchmark::State &state) { take(state, {.types = false}); }
void census_types(benchmark::State &state) { take(state, {}); }

#define MAPSCOPE_SIZES(size) Arg(size)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)
BENCHMARK(census_headers)->MAPSCOPE_SIZES(10'000);
BENCHMARK(census_maps)->MAPSCOPE_SIZES(10'000);
BENCHMARK(census_types)->MAPSCOPE_SIZES(10'000);
BENCHMARK(copy_all)->MAPSCOPE_SIZES(1'000'000);
BENCHMARK(census_headers)->MAPSCOPE_SIZES(1'000'000);
BENCHMARK(census_maps)->MAPSCOPE_SIZES(1'000'000);
BENCHMARK(census_types)->MAPSCOPE_SIZES(1'000'000);
BENCHMARK(census_again)->MAPSCOPE_SIZES(1'000'000);

} // namespace
} // namespace mapscope
