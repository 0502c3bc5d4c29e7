// Records of map operations written by hand, and the program that they are of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

#include "attribute/trace_attributor.h"
#include "support/fake_names.h"

namespace mapscope {

using testing::FakeNames;

constexpr ProcessKey kProcess{.pid = 100, .start_time_ns = 5};
constexpr std::uint64_t kText = 0x1000, kRehash = 0x2000, kMapAssign = 0x3000, kFill = 0x5000,
                        kMain = 0x6000, kIntMap = 0x9000, kStringMap = 0x9100;
constexpr std::uint64_t kMap = 0xc000010000, kTable = 0xc000020000;
constexpr std::uint64_t kStack = 77;

inline BinaryFacts facts_of(MapImplementation implementation, GoVersion version) {
  BinaryFacts facts;
  facts.version = version;
  facts.map_implementation = implementation;
  facts.text = {{kText}, 0x6000};
  return facts;
}

inline FakeNames names_of_program() {
  FakeNames names;
  names.lines = {{kRehash, {{"internal/runtime/maps.(*table).rehash", "table.go", 1145}}},
                 {kMapAssign, {{"runtime.mapassign_fast64", "runtime_fast64.go", 200}}},
                 {kFill, {{"main.put", "main.go", 12, true}, {"main.fill", "main.go", 20}}},
                 {kMain, {{"main.main", "main.go", 40}}}};
  names.types = {
      {kIntMap, {.name = "map[int]int", .group_bytes = 136}},
      {kStringMap, {.name = "map[string]int", .group_bytes = 200, .group_has_pointers = true}}};
  return names;
}

// Of a swiss table: used, slots, growth left, local depth.
inline std::uint64_t front(std::uint64_t used, std::uint64_t slots, std::uint64_t growth_left = 0,
                           std::uint64_t local_depth = 0) {
  return used | slots << 16 | growth_left << 32 | local_depth << 48;
}

struct SwissHeader {
  std::uint64_t len = 0, seed = 1, storage = 0xc000030000, directory_len = 1;
};

inline map_operation_event operation(enum map_operation kind, std::uint64_t time_ns) {
  map_operation_event event{};
  event.header.time_ns = time_ns;
  event.header.tid = 7;
  event.goid = 3;
  event.operation = kind;
  event.stack_distance = 200;
  return event;
}

inline map_operation_event with_header(map_operation_event event, const SwissHeader &header,
                                       std::uint64_t map = kMap, std::uint64_t type = kIntMap) {
  event.map = map;
  event.map_type = type;
  event.header_read = 1;
  event.map_header[0] = header.len;
  event.map_header[1] = header.seed;
  event.map_header[2] = header.storage;
  event.map_header[3] = header.directory_len;
  std::uint64_t depth = 0;
  while (header.directory_len != 0 && std::uint64_t{1} << depth < header.directory_len)
    ++depth;
  event.map_header[4] = depth;
  return event;
}

inline map_operation_event with_table(map_operation_event event, std::uint64_t table_front,
                                      std::uint64_t table = kTable) {
  event.table = table;
  event.table_front = table_front;
  event.table_read = 1;
  return event;
}

inline map_operation_event on_stack(map_operation_event event, std::uint64_t distance) {
  event.header_on_stack = 1;
  event.header_distance = distance;
  return event;
}

// A map with this seed, whose one table is full.
inline map_operation_event rehash(std::uint64_t time_ns, std::uint64_t seed = 1,
                                  std::uint64_t map = kMap, std::uint64_t slots = 64) {
  std::uint64_t used = slots / 8 * 7;
  return with_table(
      with_header(operation(MAP_OPERATION_REHASH, time_ns), {.len = used, .seed = seed}, map),
      front(used, slots));
}

inline stack_event stack_of(std::initializer_list<std::uint64_t> pcs) {
  stack_event event{.id = kStack};
  std::size_t depth = 0;
  for (std::uint64_t pc : pcs)
    event.frames[depth] = pc + (depth == 0 ? 0 : 1), ++depth;
  return event;
}

inline const MapChange &change(const TraceEvent &event) { return std::get<MapChange>(event.what); }

// hmap: count; flags, B, noverflow, hash0; buckets.
inline map_operation_event hash_grow(std::uint64_t len, std::uint64_t log_buckets) {
  auto event = operation(MAP_OPERATION_HASH_GROW, 10);
  event.map = kMap;
  event.map_type = kIntMap;
  event.header_read = 1;
  event.map_header[0] = len;
  event.map_header[1] = log_buckets << 8 | std::uint64_t{0xabcd} << 32;
  event.map_header[2] = 0xc000030000;
  return event;
}

class MapRecordsTest : public ::testing::Test {
protected:
  std::vector<TraceEvent> taken(std::initializer_list<map_operation_event> events) {
    for (const auto &event : events)
      attributor.add(event);
    return attributor.take();
  }
  // The only event that these make.
  TraceEvent one(std::initializer_list<map_operation_event> events) {
    auto told = taken(events);
    EXPECT_EQ(told.size(), 1U);
    return told.empty() ? TraceEvent{} : told[0];
  }

  BinaryFacts facts = facts_of(MapImplementation::swiss, {1, 26, 8});
  FakeNames names = names_of_program();
  TraceAttributor attributor{kProcess, facts, names, false};
  TraceAttributor exact{kProcess, facts, names, true};
};

} // namespace mapscope
