// What looking at an executable costs: opening it, all its facts, and naming addresses.
//
//   MAPSCOPE_BENCHMARK_BINARY=/usr/bin/prometheus build/bench/benchmarks/binary_benchmark
//
// Without the variable, the go command that is on the PATH is looked at.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "binary/confined_parser.h"
#include "binary/go_binary.h"
#include "binary/read_facts.h"

namespace mapscope {
namespace {

std::string program_path() {
  if (const char *named = std::getenv("MAPSCOPE_BENCHMARK_BINARY"))
    return named;
  const char *path = std::getenv("PATH");
  std::string directories = path == nullptr ? "" : path;
  while (!directories.empty()) {
    const auto end = directories.find(':');
    const std::string program = directories.substr(0, end) + "/go";
    if (std::filesystem::exists(program))
      return program;
    directories = end == std::string::npos ? "" : directories.substr(end + 1);
  }
  return "/usr/bin/go";
}

std::span<const std::byte> program_bytes() {
  static const auto bytes = [] {
    const Fd file{::open(program_path().c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status{};
    ::fstat(file.get(), &status);
    const auto size = static_cast<std::size_t>(status.st_size);
    void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    return mapped == MAP_FAILED ? std::span<const std::byte>{}
                                : std::span{static_cast<const std::byte *>(mapped), size};
  }();
  return bytes;
}

void open_binary(benchmark::State &state) {
  for (auto _ : state) {
    auto binary = GoBinary::open(program_bytes(), program_path());
    if (!binary)
      return state.SkipWithError(binary.error().message().c_str());
    state.counters["functions"] = static_cast<double>(binary->functions().size());
  }
}
BENCHMARK(open_binary)->Unit(benchmark::kMillisecond);

void read_all_facts(benchmark::State &state) {
  const auto binary = GoBinary::open(program_bytes(), program_path());
  if (!binary)
    return state.SkipWithError(binary.error().message().c_str());
  for (auto _ : state)
    benchmark::DoNotOptimize(read_facts(*binary));
}
BENCHMARK(read_all_facts)->Unit(benchmark::kMillisecond);

// Starting the parser, facts over the wire, and its end.
void open_confined(benchmark::State &state) {
  for (auto _ : state) {
    auto binary = ConfinedBinary::open(Fd{::open(program_path().c_str(), O_RDONLY | O_CLOEXEC)},
                                       program_path());
    if (!binary)
      return state.SkipWithError(binary.error().message().c_str());
  }
}
BENCHMARK(open_confined)->Unit(benchmark::kMillisecond);

void symbolize(benchmark::State &state) {
  const auto binary = GoBinary::open(program_bytes(), program_path());
  if (!binary)
    return state.SkipWithError(binary.error().message().c_str());
  std::vector<ElfAddress> addresses;
  for (std::size_t i = 0; i < binary->functions().size(); i += 16) {
    const ElfRange &range = binary->functions()[i].range;
    addresses.push_back({range.start.value + range.size_bytes / 2});
  }
  for (auto _ : state)
    benchmark::DoNotOptimize(binary->symbolize(addresses));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(addresses.size()));
}
BENCHMARK(symbolize)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace mapscope
