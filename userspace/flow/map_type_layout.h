// A map type in full, as its descriptor in the memory of a process tells it: where keys and
// elements lie in a group or bucket, and what their fields and their padding are. Made by heap/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "flow/map_type.h"

namespace mapscope {

// A field of a struct, in the order of the source.
struct GoField {
  std::string name, type_name;
  std::uint64_t offset = 0, size_bytes = 0, alignment = 1;
  friend bool operator==(const GoField &, const GoField &) = default;
};

// The type of a key or of an element.
struct GoType {
  std::string name;      // "main.Point"
  std::uint8_t kind = 0; // reflect.Kind
  std::uint64_t size_bytes = 0, alignment = 1;
  std::uint64_t padding_bytes = 0; // between and behind fields, nested ones included
  std::vector<GoField> fields;     // of a struct; a field named _ is no padding
  friend bool operator==(const GoType &, const GoType &) = default;
};

struct MapTypeLayout {
  ProcessAddress descriptor; // of the map type
  ProcessAddress group;      // descriptor of its group or bucket type
  MapType type;              // its name, and the sizes that all agree on
  GoType key, element;
  // Entry i of a group or bucket: key at keys_offset + i * key_stride, element likewise. Held by
  // pointer where the type says so. Go source: internal/runtime/maps/group.go, runtime/map.go.
  std::uint32_t keys_offset = 0, key_stride = 0;
  std::uint32_t elements_offset = 0, element_stride = 0;
  // "go.shape" stands for several types that generic code treats alike: the name is none of them.
  bool is_shape = false;

  // Of one entry in its group: what is neither key nor element, nor used by their fields.
  std::uint64_t padding_bytes_per_slot() const;
  // What one entry takes in its group, control byte aside.
  std::uint64_t bytes_per_slot() const {
    return is_split() ? std::uint64_t{key_stride} + element_stride : key_stride;
  }
  // All keys lie before all elements: classic buckets, and GOEXPERIMENT=mapsplitgroup.
  bool is_split() const { return elements_offset >= keys_offset + 8ULL * key_stride; }
  // Key and element as they lie in the group: pointers where they are held by pointer.
  std::uint64_t key_bytes_in_group() const { return type.key_is_indirect ? 8 : type.key_bytes; }
  std::uint64_t element_bytes_in_group() const {
    return type.element_is_indirect ? 8 : type.element_bytes;
  }
};

inline std::uint64_t MapTypeLayout::padding_bytes_per_slot() const {
  std::uint64_t used = key_bytes_in_group() + element_bytes_in_group();
  std::uint64_t padding = bytes_per_slot() > used ? bytes_per_slot() - used : 0;
  if (!type.key_is_indirect)
    padding += key.padding_bytes;
  if (!type.element_is_indirect)
    padding += element.padding_bytes;
  return padding;
}

// What is known of the type of a map.
enum class TypeCertainty : std::uint8_t {
  unknown,   // no type of the program fits, or the map holds nothing that could tell
  candidate, // one of several
  exact,     // one type fits, and the contents prove it
};

} // namespace mapscope
