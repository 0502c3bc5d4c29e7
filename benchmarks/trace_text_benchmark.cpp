// What a line of `trace` costs in each form, and what adding it up costs: the events of a storm of
// growth, over a thousand maps and ten lines. The target is 250 ns a line of text.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "judge/trace_filter.h"
#include "judge/trace_summary.h"
#include "report/trace_json.h"
#include "report/trace_perfetto.h"
#include "report/trace_text.h"

namespace mapscope {
namespace {

std::vector<TraceEvent> storm() {
  auto type = std::make_shared<const MapType>(MapType{.name = "map[string]int"});
  std::vector<CallStackPtr> stacks;
  for (std::uint32_t line = 1; line <= 10; ++line) {
    auto stack = std::make_shared<CallStack>();
    stack->site = SourceFrame{.function = "main.fill", .file = "/src/main.go", .line = line};
    stacks.push_back(stack);
  }
  std::vector<TraceEvent> events;
  for (std::uint64_t number = 1; number <= 1'000; ++number)
    for (std::uint64_t slots = 8; slots < 1'024; slots *= 2) {
      TraceEvent event;
      event.kind = TraceKind::map_grown;
      event.process = {.pid = 100, .start_time_ns = 1};
      event.time_ns = 5'000'000'000 + events.size() * 1'234;
      event.tid = 101;
      event.goroutine = 18;
      event.stack = stacks[number % stacks.size()];
      event.what =
          MapChange{.operation = MAP_OPERATION_REHASH,
                    .map = MapIdentity{.number = number,
                                       .address = ProcessAddress{0xc000000000 + number * 48}},
                    .type = type,
                    .len = slots / 8 * 7,
                    .slots_before = slots,
                    .slots_after = slots * 2,
                    .table_slots_before = slots,
                    .bytes = slots * 2 * 25};
      events.push_back(std::move(event));
    }
  return events;
}

template <typename Sink> void append_all(benchmark::State &state, Sink sink) {
  const std::vector<TraceEvent> events = storm();
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (const TraceEvent &event : events)
      sink.append(event, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events.size()));
}

void text(benchmark::State &state) { append_all(state, TraceText{{}}); }
void text_with_clock(benchmark::State &state) {
  TraceTextOptions options{.colour = true, .show_pids = true};
  options.time.format = TimeFormat::clock;
  append_all(state, TraceText{options});
}
void json(benchmark::State &state) { append_all(state, TraceJson{{}}); }
void perfetto(benchmark::State &state) { append_all(state, TracePerfetto{}); }

void summary(benchmark::State &state) {
  const std::vector<TraceEvent> events = storm();
  TraceSummarizer summarizer;
  for (auto _ : state)
    for (const TraceEvent &event : events)
      summarizer.add(event);
  benchmark::DoNotOptimize(summarizer);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events.size()));
}

void filter(benchmark::State &state) {
  const std::vector<TraceEvent> events = storm();
  TraceFilterText asked;
  asked.only = {"grown"};
  asked.min_bytes = "1KiB";
  asked.type = "map[*]int";
  auto filter = TraceFilter::parse(asked);
  for (auto _ : state)
    for (const TraceEvent &event : events)
      benchmark::DoNotOptimize(filter->passes(event));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events.size()));
}

BENCHMARK(text);
BENCHMARK(text_with_clock);
BENCHMARK(json);
BENCHMARK(perfetto);
BENCHMARK(summary);
BENCHMARK(filter);

} // namespace
} // namespace mapscope
