// Maps and types written by hand, as a census would find them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "flow/judged_map.h"
#include "go/map_rules.h"
#include "go/size_classes.h"

namespace mapscope {

inline BinaryFacts facts_of_go(unsigned minor, bool classic) {
  BinaryFacts facts;
  facts.version = {1, minor, 0};
  facts.map_implementation = classic ? MapImplementation::classic : MapImplementation::swiss;
  return facts;
}
inline BinaryFacts facts_of_go(unsigned minor) { return facts_of_go(minor, minor < 24); }

inline GoType plain_type(std::string name, std::uint8_t kind, std::uint64_t bytes) {
  GoType type;
  type.name = std::move(name);
  type.kind = kind;
  type.size_bytes = bytes;
  type.alignment = bytes > 8 ? 8 : bytes == 0 ? 1 : bytes;
  return type;
}
inline GoType int_type() { return plain_type("int", 2, 8); }
inline GoType string_type() { return plain_type("string", 24, 16); }

// A struct of fields in this order, laid out as Go does it.
inline GoType struct_type(std::string name, std::vector<GoField> fields) {
  GoType type = plain_type(std::move(name), 25, 0);
  std::uint64_t end = 0, used = 0;
  for (GoField &field : fields) {
    field.offset = (end + field.alignment - 1) / field.alignment * field.alignment;
    end = field.offset + field.size_bytes;
    used += field.size_bytes;
    type.alignment = std::max(type.alignment, field.alignment);
  }
  type.size_bytes = (end + type.alignment - 1) / type.alignment * type.alignment;
  type.padding_bytes = type.size_bytes - used;
  type.fields = std::move(fields);
  return type;
}

inline MapTypeLayout map_of(GoType key, GoType element, bool classic, bool has_pointers = false) {
  MapTypeLayout layout;
  layout.type.name = "map[" + key.name + "]" + element.name;
  layout.type.key_bytes = key.size_bytes;
  layout.type.element_bytes = element.size_bytes;
  layout.type.group_has_pointers = has_pointers;
  layout.keys_offset = 8;
  auto key_bytes = static_cast<std::uint32_t>(key.size_bytes);
  auto element_bytes = static_cast<std::uint32_t>(element.size_bytes);
  if (classic) {
    layout.key_stride = key_bytes;
    layout.element_stride = element_bytes;
    layout.elements_offset = 8 + 8 * key_bytes;
    layout.type.group_bytes = (16ULL + 8 * (key_bytes + element_bytes) + 7) / 8 * 8;
  } else {
    auto up = [](std::uint32_t bytes, std::uint64_t alignment) {
      auto a = static_cast<std::uint32_t>(alignment);
      return (bytes + a - 1) / a * a;
    };
    std::uint32_t at = up(key_bytes, element.alignment);
    layout.elements_offset = 8 + at;
    layout.key_stride = layout.element_stride =
        up(at + element_bytes, std::max(key.alignment, element.alignment));
    layout.type.group_bytes = 8 + 8ULL * layout.key_stride;
  }
  layout.key = std::move(key);
  layout.element = std::move(element);
  return layout;
}

// A map as make(map, hint) leaves it, and then with `len` entries, none of which grew it.
inline MapSample map_made_for(std::uint64_t hint, std::uint64_t len, const MapTypeLayout &type,
                              const BinaryFacts &facts) {
  const bool classic = facts.map_implementation == MapImplementation::classic;
  const std::uint64_t group = type.type.group_bytes;
  auto created = *MapRules{facts}.creation(hint, true);
  MapSample map;
  map.address = {0xc000010000};
  map.evidence = MapEvidence::proved;
  map.len = len;
  map.bytes.header = 48;
  map.slots = created.slots;
  std::uint64_t total = *MapRules{facts}.bytes(created.allocation, &type.type);
  if (map.slots == 0 && len != 0) {
    map.slots = 8;
    total += heap_bytes(group, type.type.group_has_pointers, facts.version >= GoVersion{1, 22});
  }
  if (map.slots == 0)
    return map;
  map.group_bytes = static_cast<std::uint32_t>(group);
  const std::uint64_t groups = map.slots / 8;
  map.bytes.control = groups * (classic ? 16 : 8);
  map.bytes.cells = groups * group - map.bytes.control;
  map.bytes.directory = created.slots == 0 ? 0 : created.allocation.fixed_bytes - 48;
  std::uint64_t rest =
      total - map.bytes.header - map.bytes.control - map.bytes.cells - map.bytes.directory;
  (classic && groups >= 16 ? map.bytes.overflow : map.bytes.rounding) = rest;
  return map;
}

} // namespace mapscope
