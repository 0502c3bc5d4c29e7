// Any records through decode and TraceAttributor: nothing is believed, and nothing grows without
// bound. The input is a sequence of records; one byte in front of each says its kind and whether
// events are taken behind it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <variant>

#include "attribute/trace_attributor.h"
#include "decode/decode.h"
#include "fuzz/fuzz_target.h"
#include "support/fake_names.h"

using namespace mapscope;

namespace {

constexpr std::array<std::size_t, EVENT_KIND_COUNT> kSizes = {0,
                                                              sizeof(process_exec_event),
                                                              sizeof(process_exit_event),
                                                              sizeof(process_fork_event),
                                                              sizeof(image_entry_event),
                                                              sizeof(map_operation_event),
                                                              sizeof(heap_request_event),
                                                              sizeof(system_call_event),
                                                              sizeof(system_call_detail_event),
                                                              sizeof(system_call_result_event),
                                                              sizeof(io_uring_submit_event),
                                                              sizeof(stack_event),
                                                              sizeof(map_misuse_event)};

// The version and the implementation are of the input too.
BinaryFacts facts_of(std::uint8_t choice) {
  BinaryFacts facts;
  facts.version = {1, 17U + choice % 11U, 0};
  facts.map_implementation = choice & 0x80 ? MapImplementation::classic : MapImplementation::swiss;
  facts.is_pie = choice & 0x40;
  facts.text = {{0x1000}, 0x10000};
  facts.runtime_text = {{0x1000}, 0x8000};
  facts.map_functions = {{"runtime.mapassign_fast64", {{0x2000}, 0x1000}}};
  return facts;
}

// Every address below 64 KiB has a name and is a map's descriptor.
testing::FakeNames names_of_anything() {
  testing::FakeNames names;
  for (std::uint64_t address = 0x1000; address < 0x1100; ++address) {
    names.lines[address] = {{"runtime.mapassign_fast64", "map.go", 1}};
    names.lines[address + 0x9000] = {{"main.fill", "main.go", 2}};
    names.types[address] = {.name = "map[int]int", .group_bytes = address << (address % 40)};
    names.calls[address + 0x9000] = names.types[address];
  }
  return names;
}

void add(TraceAttributor &attributor, const EventBody &body) {
  std::visit(
      [&](const auto &event) {
        using Body = std::remove_cvref_t<decltype(event)>;
        if constexpr (std::is_same_v<Body, image_entry_event>)
          attributor.set_load_bias({event.load_bias});
        else if constexpr (std::is_same_v<Body, system_call_result_event>)
          static_cast<void>(attributor.add(event));
        else if constexpr (!std::is_same_v<Body, process_fork_event>)
          attributor.add(event);
      },
      body);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(attribute_fuzz, data, size_bytes) {
  if (size_bytes == 0)
    return 0;
  static testing::FakeNames names = names_of_anything();
  BinaryFacts facts = facts_of(data[0]);
  TraceAttributor attributor{{}, facts, names, (data[0] & 0x20) != 0};
  auto rest = std::span{data, size_bytes}.subspan(1);
  while (!rest.empty()) {
    std::uint8_t choice = rest[0];
    rest = rest.subspan(1);
    std::size_t kind = choice % EVENT_KIND_COUNT;
    std::array<std::byte, sizeof(map_misuse_event)> record{};
    std::size_t taken = std::min(kSizes[kind], rest.size());
    std::memcpy(record.data(), rest.data(), taken);
    rest = rest.subspan(taken);
    event_header header;
    std::memcpy(&header, record.data(), sizeof(header));
    header.kind = static_cast<__u16>(kind);
    header.size_bytes = static_cast<__u16>(kSizes[kind]);
    std::memcpy(record.data(), &header, sizeof(header));
    if (auto event = decode(std::span{record}.first(kSizes[kind])))
      add(attributor, event->body);
    if (choice & 0x80)
      attributor.take();
  }
  attributor.take_all();
  return 0;
}
