// What types and key hashes cost: the map types of a running program, and the hash of one key.
//
//   tools/build-workloads --mode plain census
//   build/bench/benchmarks/types_benchmark
//   MAPSCOPE_PID=4711 build/bench/benchmarks/types_benchmark    of a process of one's own
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "heap/go_types.h"
#include "heap/key_hash.h"
#include "heap/runtime_data.h"
#include "support/census_program.h"
#include "support/file_content.h"
#include "support/synthetic_types.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::ChildMemory;
using testing::FlatMemory;
using testing::SyntheticTypes;

struct Target {
  ChildMemory memory{-1};
  BinaryFacts facts;
  ProcessRange types;
};

std::optional<Target> target_of(pid_t pid) {
  Target target{.memory = ChildMemory{pid}};
  const std::string path = fmt::format("/proc/{}/exe", pid);
  const auto file = testing::file_bytes(path);
  const auto binary = GoBinary::open(file, path);
  auto facts = binary ? read_facts(*binary) : std::unexpected(binary.error());
  const auto mappings = target.memory.mappings();
  if (!facts || !mappings || mappings->empty())
    return std::nullopt;
  target.facts = *std::move(facts);
  const std::uint64_t lowest = binary->elf().segments().front().range.start.value;
  const LoadBias bias{target.facts.is_pie ? mappings->front().start.value - (lowest & ~4095ULL)
                                          : 0};
  target.types = HeapAnchors::of(target.facts, bias).types;
  return target;
}

std::optional<Target> &target() {
  static std::unique_ptr<CensusProgram> program;
  static std::optional<Target> target = [] {
    if (const char *pid = std::getenv("MAPSCOPE_PID"))
      return target_of(std::atoi(pid));
    program =
        std::make_unique<CensusProgram>(SOURCE_DIRECTORY "/build/workloads/1.26.8/plain/census",
                                        std::vector<std::string>{"-n", "1000", "-silent"});
    return program->is_ready() ? target_of(program->pid()) : std::nullopt;
  }();
  return target;
}

void read_types(benchmark::State &state) {
  if (!target())
    return state.SkipWithError("the program is not built, or can't be read");
  for (auto _ : state)
    benchmark::DoNotOptimize(GoTypes::read(target()->memory, target()->types, target()->facts));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(target()->types.size_bytes));
}
BENCHMARK(read_types)->Unit(benchmark::kMillisecond);

void find_map_types(benchmark::State &state) {
  if (!target())
    return state.SkipWithError("the program is not built, or can't be read");
  const auto types = GoTypes::read(target()->memory, target()->types, target()->facts);
  std::size_t count = 0;
  for (auto _ : state)
    count = types ? types->map_types().size() : 0;
  state.counters["map_types"] = static_cast<double>(count);
  state.counters["megabytes"] = static_cast<double>(target()->types.size_bytes) / 1e6;
}
BENCHMARK(find_map_types)->Unit(benchmark::kMillisecond);

// A range as large as that of no program at hand, with nothing in it: the scan alone.
void scan(benchmark::State &state) {
  const auto size_bytes = static_cast<std::size_t>(state.range(0));
  FlatMemory memory{SyntheticTypes::kStart, std::vector<std::byte>(size_bytes)};
  const auto types =
      GoTypes::read(memory, memory.range(), testing::facts_with_maps(MapImplementation::swiss, 26));
  for (auto _ : state)
    benchmark::DoNotOptimize(types->map_types());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(scan)->Arg(100 << 20)->Unit(benchmark::kMillisecond);

// The first map type made by hand with a key of that name.
std::optional<KeyHash> hash_of(std::string_view key_name) {
  FlatMemory memory{SyntheticTypes::kStart, testing::synthetic_map_types().bytes()};
  const auto types =
      GoTypes::read(memory, memory.range(), testing::facts_with_maps(MapImplementation::swiss, 25));
  HashKeys keys{};
  keys.fill(std::byte{0x5a});
  for (const MapTypeLayout &map : types->map_types())
    if (map.key.name == key_name)
      return KeyHash::of(*types,
                         {*types->memory().word(map.descriptor.value + TypeFields::kMapKey)}, keys);
  return std::nullopt;
}

void hash_word_keys(benchmark::State &state) {
  const auto hash = hash_of("int64");
  if (!hash)
    return state.SkipWithError("this machine has no AES instructions");
  std::uint64_t key = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(hash->hash(std::as_bytes(std::span{&key, 1}), 0x123456789));
    ++key;
  }
}
BENCHMARK(hash_word_keys);

void hash_strings(benchmark::State &state) {
  const auto hash = hash_of("string");
  if (!hash)
    return state.SkipWithError("this machine has no AES instructions");
  const std::vector<std::byte> text(static_cast<std::size_t>(state.range(0)), std::byte{'a'});
  const std::uint64_t key[2] = {0x1000, text.size()};
  const std::span<const std::byte> fetched{text};
  std::uint64_t seed = 1;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        hash->hash(std::as_bytes(std::span{key}), ++seed, std::span{&fetched, 1}));
}
BENCHMARK(hash_strings)->Arg(8)->Arg(16)->Arg(40)->Arg(100)->Arg(1000);

} // namespace
} // namespace mapscope
