// What a walk over the objects of a program costs: workloads/census with a million maps in 1.1 GB,
// from its package variables on. CPU is that of user and kernel together; a census and the tables
// that the walk needs are made before.
//
//   tools/build-workloads --mode plain census
//   MAPSCOPE_GO=1.22.12 build/bench/benchmarks/owners_benchmark
#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>

#include "support/walked_program.h"

namespace mapscope {
namespace {

void walk(benchmark::State &state) {
  const char *version = std::getenv("MAPSCOPE_GO");
  const std::string path = std::string(SOURCE_DIRECTORY "/build/workloads/") +
                           (version == nullptr ? "1.26.8" : version) + "/plain/census";
  testing::CensusProgram program(path,
                                 {"-n", std::to_string(state.range(0)), "-silent", "-noise", "0"});
  if (!program.is_ready())
    return state.SkipWithError("the program is not built, or did not get ready");
  testing::Walked walked(program, path);
  if (!walked.problem.empty())
    return state.SkipWithError(walked.problem.c_str());
  for (auto _ : state)
    if (auto followed = walked.follow(); !followed)
      return state.SkipWithError(followed.error().message().c_str());
  const OwnerCounts &counts = walked.walk->counts();
  auto count = [&](const char *name, std::uint64_t value) {
    state.counters[name] = static_cast<double>(value);
  };
  count("typed", counts.objects_typed);
  count("untyped", counts.objects_untyped);
  count("words", counts.words_followed);
  count("refused", counts.words_refused);
  count("read_mb", counts.bytes_read >> 20);
  count("is_stopped", counts.stopped_by.empty() ? 0 : 1);
}

BENCHMARK(walk)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();

} // namespace
} // namespace mapscope
