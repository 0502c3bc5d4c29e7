// Go source: runtime/map.go of 1.21 (loadFactorNum), internal/runtime/maps/map.go and table.go of
// 1.24 (Clear), runtime_fast*.go and runtime.go there of 1.25 to 1.27 (who calls
// pruneTombstones), cmd/compile/internal/walk/walk.go (mapfast).
#include "judge/map_defects.h"

#include <optional>

#include <fmt/format.h>

namespace mapscope {

namespace {

constexpr GoVersion kLastKnown{1, 28}; // what holds from here on is not known

// The assignment that the compiler chose by the type of the key.
enum class KeyPath { fast, pointer, generic, unknown };

// reflect.Kind
enum Kind : std::uint8_t {
  kBool = 1,
  kInt = 2,
  kInt8 = 3,
  kInt16 = 4,
  kInt32 = 5,
  kInt64 = 6,
  kUint = 7,
  kUint8 = 8,
  kUint16 = 9,
  kUint32 = 10,
  kUint64 = 11,
  kUintptr = 12,
  kFloat32 = 13,
  kComplex128 = 16,
  kChan = 18,
  kInterface = 20,
  kPointer = 22,
  kString = 24,
  kUnsafePointer = 26,
};

KeyPath path_of(const MapTypeLayout &type) {
  constexpr std::uint64_t kFastElementMax = 128; // internal/abi, MapMaxElemBytes
  if (type.type.element_bytes > kFastElementMax || type.type.key_is_indirect)
    return KeyPath::generic;
  switch (type.key.kind) {
  case kInt:
  case kInt32:
  case kInt64:
  case kUint:
  case kUint32:
  case kUint64:
  case kUintptr:
  case kString:
    return KeyPath::fast;
  case kPointer:
  case kChan:
  case kUnsafePointer:
    return KeyPath::pointer;
  case kBool:
  case kInt8:
  case kInt16:
  case kUint8:
  case kUint16:
  case kInterface:
    return KeyPath::generic;
  default: // structs and arrays of four or eight plain bytes are fast as well
    return type.key.kind >= kFloat32 && type.key.kind <= kComplex128 ? KeyPath::generic
                                                                     : KeyPath::unknown;
  }
}

KeyPath path_of(MapTypes candidates) {
  std::optional<KeyPath> path;
  for (const MapTypeLayout *type : candidates) {
    KeyPath here = type->is_shape ? KeyPath::unknown : path_of(*type);
    if (path && *path != here)
      return KeyPath::unknown;
    path = here;
  }
  return path.value_or(KeyPath::unknown);
}

} // namespace

std::optional<MapDefect> early_growth_defect(const MapEvidenceOfWaste &map) {
  if (!map.is_classic || map.version.major != 1 || map.version.minor != 21)
    return std::nullopt;
  // With half the buckets: 6.5 entries each are allowed, 6 were.
  const std::uint64_t pairs = map.map.slots / 8 / 4;
  if (pairs == 0 || map.map.len <= 12 * pairs || map.map.len > 13 * pairs)
    return std::nullopt;
  return MapDefect{.what = "go1.21 doubles a map at 6 entries a bucket where every other release "
                           "waits for 6.5 (an integer division)",
                   .fixed_in = "go1.22"};
}

std::optional<MapDefect> tombstone_defect(const MapEvidenceOfWaste &map) {
  if (map.is_classic || map.map.tombstones == 0 || map.version.major != 1)
    return std::nullopt;
  const unsigned minor = map.version.minor;
  if (minor == 24 && map.map.len == 0)
    return MapDefect{.what = "in go1.24, clear() of a map without entries leaves its tombstones",
                     .fixed_in = "go1.25"};
  if (minor == 24)
    return MapDefect{.what = "go1.24 drops tombstones only when the map grows or is cleared",
                     .fixed_in = "go1.25"};
  if (map.version >= kLastKnown)
    return std::nullopt;
  switch (path_of(map.candidates)) {
  case KeyPath::pointer:
    if (minor < 27)
      return MapDefect{.what = fmt::format("in go1.{}, assignments to maps with pointers as keys "
                                           "never prune tombstones",
                                           minor),
                       .fixed_in = "go1.27"};
    return std::nullopt;
  case KeyPath::generic:
    return MapDefect{.what = fmt::format("in go1.{}, only assignments to maps with string keys, or "
                                         "keys of 4 or 8 plain bytes, prune tombstones",
                                         minor),
                     .fixed_in = ""};
  default:
    return std::nullopt;
  }
}

} // namespace mapscope
