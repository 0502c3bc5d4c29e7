// What a recording costs beside the tracer, for each record, and how many records a second a
// replay hands out before anybody looks at them. The targets are 150 ns and a million.
#include <sys/mman.h>

#include <cstring>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "bpf/contract/events.h"
#include "recording/recording_reader.h"
#include "recording/recording_writer.h"

namespace mapscope {
namespace {

constexpr std::size_t kRecordCount = 100'000; // a busy second
constexpr std::size_t kRecordsPerDrain = 1'000;

// Growths of the maps of a busy program: their addresses, seeds and times differ.
std::vector<map_operation_event> operations() {
  std::mt19937_64 random;
  std::vector<map_operation_event> events(kRecordCount);
  for (std::uint64_t i = 0; map_operation_event & event : events) {
    event.header = {.time_ns = 1'000'000'000'000 + i * 10'000 + random() % 5'000,
                    .tgid = 4711,
                    .tid = static_cast<__u32>(4711 + random() % 8),
                    .kind = EVENT_KIND_MAP_OPERATION,
                    .size_bytes = sizeof(event),
                    .cpu = static_cast<__u16>(random() % 8)};
    event.goid = 1 + random() % 64;
    event.map = 0xc000000000 + random() % 0x1000000 * 16;
    event.map_type = 0x4a0000 + random() % 16 * 96;
    event.table = 0xc000000000 + random() % 0x1000000 * 16;
    event.table_front = 0x0400000000000000 | (random() % 8) << 16;
    event.stack = random() % 256 * 0x9e3779b97f4a7c15;
    event.stack_distance = random() % 64 * 8;
    event.map_header[0] = random() % 1024;
    event.map_header[1] = random(); // the seed
    event.map_header[2] = event.table;
    event.operation = MAP_OPERATION_REHASH;
    event.header_read = event.table_read = 1;
    ++i;
  }
  return events;
}

Fd memory_file() { return Fd{::memfd_create("recording", MFD_CLOEXEC)}; }

void write_run(RecordingWriter &writer, const std::vector<map_operation_event> &events) {
  writer.start({});
  for (std::size_t i = 0; i < events.size(); ++i) {
    writer.record(std::as_bytes(std::span{&events[i], 1}));
    if (i % kRecordsPerDrain == 0)
      writer.drained();
  }
  writer.end({});
}

void write_records(benchmark::State &state) {
  const auto events = operations();
  off_t size_bytes = 0;
  for (auto _ : state) {
    Fd file = memory_file();
    const int same = ::dup(file.get());
    auto writer = RecordingWriter::create(std::move(file), "benchmark").value();
    write_run(*writer, events);
    if (!writer->close())
      state.SkipWithError("not written");
    size_bytes = ::lseek(same, 0, SEEK_END);
    ::close(same);
  }
  const auto record_count = static_cast<double>(events.size());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events.size()));
  state.counters["bytes_per_record"] = static_cast<double>(size_bytes) / record_count;
  state.counters["time_per_record"] = benchmark::Counter(
      record_count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// Somebody who does nothing with what it hears.
class Deaf final : public RunObserver {};

void replay_records(benchmark::State &state) {
  const auto events = operations();
  Fd file = memory_file();
  const int same = ::dup(file.get());
  auto writer = RecordingWriter::create(std::move(file), "benchmark").value();
  write_run(*writer, events);
  (void)writer->close();
  Deaf nobody;
  for (auto _ : state) {
    auto end = replay(ByteSource::open(Fd{::dup(same)}).value(), "benchmark", nobody);
    if (!end || !end->is_complete)
      state.SkipWithError("not replayed");
  }
  ::close(same);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events.size()));
}

BENCHMARK(write_records)->Unit(benchmark::kMillisecond);
BENCHMARK(replay_records)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace mapscope
