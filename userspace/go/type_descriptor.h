// Where the fields of Go's type descriptors lie. The part that all types share has not moved
// from Go 1.17 to 1.27; what map types add differs by implementation and release.
//
// Go source: runtime/type.go (until 1.20), internal/abi/type.go (1.21 on); internal/abi/
// map_noswiss.go and map_swiss.go (until 1.25), map.go (1.26 on).
#pragma once

#include <cstdint>
#include <optional>

#include "flow/binary_facts.h"

namespace mapscope {

// reflect.Kind, also in a descriptor.
enum class GoKind : std::uint8_t {
  invalid = 0,
  boolean = 1,
  int_platform = 2,
  int8 = 3,
  int16 = 4,
  int32 = 5,
  int64 = 6,
  uint_platform = 7,
  uint8 = 8,
  uint16 = 9,
  uint32 = 10,
  uint64 = 11,
  uintptr = 12,
  float32 = 13,
  float64 = 14,
  complex64 = 15,
  complex128 = 16,
  array = 17,
  channel = 18,
  function = 19,
  interface = 20,
  map = 21,
  pointer = 22,
  slice = 23,
  string = 24,
  structure = 25,
  unsafe_pointer = 26,
};

// abi.Type, and what follows it in the descriptors of some kinds. Offsets in bytes.
struct TypeFields {
  static constexpr std::uint64_t kBytes = 48;
  static constexpr std::uint64_t kSize = 0, kPointerBytes = 8, kFlags = 20, kAlignment = 21,
                                 kFieldAlignment = 22, kKind = 23, kEqual = 24, kName = 40;
  static constexpr unsigned kKindMask = 0x1f;
  // Bits of the kind (until 1.25) and of the flags (from 1.26 on).
  static constexpr unsigned kDirectInterfaceKind = 1 << 5, kDirectInterfaceFlag = 1 << 5;
  // Bits of the flags.
  static constexpr unsigned kExtraStar = 1 << 1; // a star that is not meant leads the name
  static constexpr unsigned kRegularMemory = 1 << 3;

  static constexpr std::uint64_t kElement = 48; // of pointers, slices, arrays, channels
  static constexpr std::uint64_t kArrayBytes = 72, kArrayLength = 64;
  static constexpr std::uint64_t kStructBytes = 80, kStructFields = 56; // a slice
  static constexpr std::uint64_t kFieldBytes = 24, kFieldName = 0, kFieldType = 8,
                                 kFieldOffset = 16;
  static constexpr std::uint64_t kInterfaceBytes = 80, kInterfaceMethods = 56; // a slice
  static constexpr std::uint64_t kMapKey = 48, kMapElement = 56, kMapGroup = 64;
};

// Above, a group or bucket holds a pointer to the key or element: abi.MapMaxKeyBytes and
// MapMaxElemBytes, and what was there before these.
inline constexpr std::uint64_t kDirectBytesMax = 128;

// How the descriptor of a map type goes on behind its group.
struct MapTypeShape {
  std::uint64_t size_bytes = 0;
  std::uint64_t group_bytes = 0; // of the group's size: 16 bits in a classic one, else 64
  std::uint64_t flags = 0;
  unsigned indirect_key = 0, indirect_element = 0; // of the flags
  unsigned flags_known = 0;                        // all bits that have a meaning
  bool is_classic = false;
  bool has_strides = false; // 1.27 on: an offset and a stride each, for keys and elements

  static constexpr std::optional<MapTypeShape> of(MapImplementation maps, bool is_from_1_27) {
    switch (maps) {
    case MapImplementation::classic:
      return MapTypeShape{88, 82, 84, 1, 2, 31, true, false};
    case MapImplementation::swiss:
      return is_from_1_27 ? MapTypeShape{136, 80, 128, 4, 8, 15, false, true}
                          : MapTypeShape{112, 80, 104, 4, 8, 15, false, false};
    case MapImplementation::none:
      break;
    }
    return std::nullopt;
  }

  // Classic: what one key and one element take of a bucket, a byte each.
  static constexpr std::uint64_t kClassicKeyBytes = 80, kClassicElementBytes = 81;
  // Swiss until 1.26: a slot of a group, and its element in it.
  static constexpr std::uint64_t kSlotBytes = 88, kElementInSlot = 96;
  // Swiss from 1.27 on.
  static constexpr std::uint64_t kKeysOffset = 88, kKeyStride = 96, kElementsOffset = 104,
                                 kElementStride = 112;
};

} // namespace mapscope
