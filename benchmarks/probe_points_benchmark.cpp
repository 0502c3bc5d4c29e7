// How long it takes to find everything that can be probed in a large executable, and its layout.
// The executable is MAPSCOPE_BENCHMARK_BINARY, or the go command.
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "binary/go_binary.h"
#include "binary/layout_lookup.h"
#include "binary/layout_table.h"
#include "binary/probe_points.h"
#include "support/file_content.h"

namespace mapscope {
namespace {

class LargeBinary {
public:
  LargeBinary() {
    const char *given = std::getenv("MAPSCOPE_BENCHMARK_BINARY");
    std::string path = given != nullptr ? given : "/usr/local/go/bin/go";
    bytes_ = testing::file_bytes(path);
    binary_ = GoBinary::open(bytes_, path);
  }
  const Result<GoBinary> &binary() const { return binary_; }

private:
  std::vector<std::byte> bytes_;
  Result<GoBinary> binary_ = fail(Errc::not_found, "not opened");
};

const Result<GoBinary> &large_binary() {
  static const LargeBinary binary;
  return binary.binary();
}

void fill_probe_points_of_large_binary(benchmark::State &state) {
  if (!large_binary()) {
    state.SkipWithError(large_binary().error().message().c_str());
    return;
  }
  for (auto _ : state) {
    BinaryFacts facts;
    facts.machine = large_binary()->elf().machine();
    benchmark::DoNotOptimize(fill_probe_points(*large_binary(), facts));
  }
  state.counters["functions"] = static_cast<double>(large_binary()->functions().size());
}
BENCHMARK(fill_probe_points_of_large_binary)->Unit(benchmark::kMillisecond);

void find_layout_of_large_binary(benchmark::State &state) {
  if (!large_binary()) {
    state.SkipWithError(large_binary().error().message().c_str());
    return;
  }
  for (auto _ : state) {
    std::vector<std::string> warnings;
    benchmark::DoNotOptimize(find_layout(*large_binary(), warnings));
  }
}
BENCHMARK(find_layout_of_large_binary)->Unit(benchmark::kMillisecond);

void unfold_layout_table(benchmark::State &state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(layout_for({1, 27, 4}, Machine::amd64, {}));
}
BENCHMARK(unfold_layout_table)->Unit(benchmark::kMicrosecond);

} // namespace
} // namespace mapscope
