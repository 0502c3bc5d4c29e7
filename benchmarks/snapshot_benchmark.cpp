// What a snapshot costs beside the census that it keeps, how large it is, and what a census of it
// costs: workloads/census with 100,000 maps, or MAPSCOPE_CENSUS_MAPS of them. CPU is that of user
// and kernel together.
//
//   tools/build-workloads --mode plain census
//   MAPSCOPE_GO=1.22.12 build/bench/benchmarks/snapshot_benchmark
#include <cstdlib>
#include <memory>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "base/process_files.h"
#include "heap/census.h"
#include "memory/live_process.h"
#include "memory/snapshot.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

CensusProgram &program() {
  static const auto running = [] {
    const char *version = std::getenv("MAPSCOPE_GO");
    const char *count = std::getenv("MAPSCOPE_CENSUS_MAPS");
    const std::string path = std::string{SOURCE_DIRECTORY "/build/workloads/"} +
                             (version == nullptr ? "1.26.8" : version) + "/plain/census";
    return std::make_unique<CensusProgram>(
        path, std::vector<std::string>{"-n", count == nullptr ? "100000" : count, "-silent"});
  }();
  return *running;
}

std::unique_ptr<LiveProcess> open_live() {
  const pid_t pid = program().pid();
  return LiveProcess::open(
             {static_cast<std::uint32_t>(pid), read_process_stat(pid).value().start_time_ns})
      .value();
}

void census(AddressSpace &space) {
  const CensusOptions options{.residency = true};
  auto taken = take_census(space, program().anchors, program().facts, options);
  if (!taken)
    std::abort();
}

// Into memory, as a disk would be measured otherwise.
Fd write_snapshot(LiveProcess &live) {
  Fd file{::memfd_create("snapshot", MFD_CLOEXEC)};
  auto writer =
      SnapshotWriter::create(Fd{::dup(file.get())}, live,
                             {.facts = std::make_shared<const BinaryFacts>(program().facts)})
          .value();
  census(*writer);
  if (!writer->finish())
    std::abort();
  return file;
}

void live_census(benchmark::State &state) {
  const auto live = open_live();
  for (auto _ : state)
    census(*live);
}

void census_into_snapshot(benchmark::State &state) {
  const auto live = open_live();
  off_t size_bytes = 0;
  for (auto _ : state)
    size_bytes = ::lseek(write_snapshot(*live).get(), 0, SEEK_END);
  state.counters["file_mb"] = static_cast<double>(size_bytes) / 1e6;
}

void open_snapshot(benchmark::State &state) {
  const Fd file = write_snapshot(*open_live());
  for (auto _ : state)
    benchmark::DoNotOptimize(Snapshot::open(Fd{::dup(file.get())}, "snapshot").value());
}

void census_of_snapshot(benchmark::State &state) {
  const auto snapshot = Snapshot::open(write_snapshot(*open_live()), "snapshot").value();
  for (auto _ : state)
    census(*snapshot);
}

BENCHMARK(live_census)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(census_into_snapshot)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(open_snapshot)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(census_of_snapshot)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

} // namespace
} // namespace mapscope
