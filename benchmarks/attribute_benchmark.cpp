// How many records a second one core takes through decode and attribute: a storm of growing
// swiss maps with few stacks and types, as a program that lacks size hints makes it. The target
// is a million.
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "attribute/trace_attributor.h"
#include "bpf/contract/events.h"
#include "decode/decode.h"
#include "support/fake_names.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kText = 0x401000, kTextBytes = 0x100000, kDescriptor = 0x600000;
constexpr std::uint64_t kStacks = 10, kFrames = 12, kTypes = 4;
constexpr std::size_t kRecordsOfTake = 1024; // ten milliseconds at 100,000 a second

using Record = std::vector<std::byte>;

template <typename Body> Record record_of(event_kind kind, Body body) {
  body.header.kind = static_cast<__u16>(kind);
  body.header.size_bytes = sizeof(Body);
  auto bytes = std::as_bytes(std::span{&body, 1});
  return {bytes.begin(), bytes.end()};
}

std::uint64_t frame_of(std::uint64_t stack, std::uint64_t depth) {
  return kText + 0x1000 * (depth + 1) + 0x10 * (depth == 2 ? stack : 0);
}

Record stack_record(std::uint64_t id) {
  stack_event event{.id = id};
  for (std::uint64_t depth = 0; depth < kFrames; ++depth)
    event.frames[depth] = frame_of(id, depth);
  return record_of(EVENT_KIND_STACK, event);
}

// A table of that many slots of the map grows.
Record rehash_record(std::uint64_t map, std::uint64_t slots, std::uint64_t time_ns) {
  std::uint64_t used = slots * 7 / 8;
  map_operation_event event{.header = {.time_ns = time_ns},
                            .goid = 1 + map % 100,
                            .map = 0xc000000000 + 48 * map,
                            .map_type = kDescriptor + 0x100 * (map % kTypes),
                            .table = 0xc100000000 + 32 * map,
                            .table_front = used | slots << 16,
                            .stack = 1 + map % kStacks,
                            .map_header = {used, 0x1234567 + map, 0xc200000000 + 8 * map, 1, 0, 0},
                            .operation = MAP_OPERATION_REHASH,
                            .header_read = 1,
                            .table_read = 1};
  return record_of(EVENT_KIND_MAP_OPERATION, event);
}

BinaryFacts facts_of_program() {
  BinaryFacts facts;
  facts.version = {1, 26, 8};
  facts.map_implementation = MapImplementation::swiss;
  facts.text = {{kText}, kTextBytes};
  return facts;
}

testing::FakeNames names_of_program() {
  testing::FakeNames names;
  for (std::uint64_t stack = 1; stack <= kStacks; ++stack)
    for (std::uint64_t depth = 0; depth < kFrames; ++depth)
      names.lines[frame_of(stack, depth) - (depth == 0 ? 0 : 1)] = {
          {depth < 2 ? "runtime.mapassign_faststr" : "example.org/program/storage.(*Index).Put",
           "/src/example.org/program/storage/index.go", static_cast<std::uint32_t>(100 + depth)}};
  for (std::uint64_t type = 0; type < kTypes; ++type)
    names.types[kDescriptor + 0x100 * type] = {
        .name = "map[string]int", .group_bytes = 200, .group_has_pointers = true};
  return names;
}

// Every map grows from 16 slots to 1024, all of them side by side.
void attribute_storm(benchmark::State &state) {
  auto maps = static_cast<std::uint64_t>(state.range(0));
  std::vector<Record> records;
  for (std::uint64_t stack = 1; stack <= kStacks; ++stack)
    records.push_back(stack_record(stack));
  std::uint64_t time_ns = 0;
  for (std::uint64_t slots = 16; slots < 1024; slots *= 2)
    for (std::uint64_t map = 0; map < maps; ++map)
      records.push_back(rehash_record(map, slots, ++time_ns));

  BinaryFacts facts = facts_of_program();
  testing::FakeNames names = names_of_program();
  TraceAttributor attributor{{}, facts, names, false};
  std::size_t events = 0;
  for (auto _ : state) {
    std::size_t added = 0;
    for (const Record &record : records) {
      auto event = decode(record);
      if (!event) {
        state.SkipWithError(event.error().message().c_str());
        return;
      }
      if (const auto *operation = std::get_if<map_operation_event>(&event->body))
        attributor.add(*operation);
      else if (const auto *stack = std::get_if<stack_event>(&event->body))
        attributor.add(*stack);
      if (++added % kRecordsOfTake == 0)
        events += attributor.take().size();
    }
    events += attributor.take_all().size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}

BENCHMARK(attribute_storm)->Arg(100)->Arg(10'000)->Arg(60'000);

} // namespace
} // namespace mapscope
