// The layouts of map type descriptors since Go 1.17, with every field checked against others.
#include "binary/map_types.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/byte_reader.h"
#include "binary/probe_text.h"
#include "wire/map_type_json.h"

namespace mapscope {
namespace {

// A type's own part of its descriptor, the same in Go 1.17 to 1.27: runtime._type, abi.Type.
constexpr std::uint64_t kTypeBytes = 48;
constexpr std::uint64_t kSize = 0, kPointerBytes = 8, kTypeFlags = 20, kKind = 23, kName = 40;
// What follows in that of every map.
constexpr std::uint64_t kKey = 48, kElement = 56, kGroup = 64;

constexpr unsigned kKindMask = 0x1f, kKindMap = 21, kKindStruct = 25;
constexpr unsigned kExtraStar = 1 << 1; // a type flag: a star that is not meant leads the name
// Above, a group holds a pointer to the key or element: abi.MapMaxKeyBytes, MapMaxElemBytes.
constexpr std::uint64_t kDirectBytesMax = 128;

// One type as others refer to it.
struct TypeHeader {
  std::uint64_t size_bytes = 0, pointer_bytes = 0; // the latter: up to its last pointer
  unsigned kind = 0;
};

Result<TypeHeader> read_header(const GoBinary &binary, std::uint64_t address) {
  const ElfRange &types = binary.module_data().types;
  if (!types.contains({address}) || types.end().value - address < kTypeBytes)
    return fail(Errc::malformed, "{:#x} is no type", address);
  const auto bytes = TRY(binary.elf().read_data({{address}, kTypeBytes}));
  const ByteReader type{bytes};
  return TypeHeader{.size_bytes = TRY(type.read_at<std::uint64_t>(kSize)),
                    .pointer_bytes = TRY(type.read_at<std::uint64_t>(kPointerBytes)),
                    .kind = TRY(type.read_at<std::uint8_t>(kKind)) & kKindMask};
}

} // namespace

struct MapTypeReader::Shape {
  std::uint64_t size_bytes;
  std::uint64_t group_bytes; // offset of the size of a group; 16 bits in a classic one, else 64
  std::uint64_t flags;       // offset
  unsigned indirect_key, indirect_element; // of the flags
  bool is_classic;
};

MapTypeReader::MapTypeReader(const GoBinary &binary) : binary_(binary), shape_(nullptr) {
  static constexpr Shape kClassic{88, 82, 84, 1, 2, true};
  static constexpr Shape kSwiss{112, 80, 104, 4, 8, false};
  static constexpr Shape kSwissFrom127{136, 80, 128, 4, 8, false};
  switch (find_map_implementation(binary)) {
  case MapImplementation::none:
    break;
  case MapImplementation::classic:
    shape_ = &kClassic;
    break;
  case MapImplementation::swiss:
    shape_ = binary.module_data().is_from_1_27 ? &kSwissFrom127 : &kSwiss;
  }
}

std::optional<MapType> MapTypeReader::read(ElfAddress descriptor) const {
  if (shape_ == nullptr)
    return std::nullopt;
  auto type = try_read(descriptor);
  return type && is_possible(*type) ? std::optional{*std::move(type)} : std::nullopt;
}

Result<MapType> MapTypeReader::try_read(ElfAddress descriptor) const {
  const ElfRange &types = binary_.module_data().types;
  const auto own = TRY(read_header(binary_, descriptor.value));
  if (own.kind != kKindMap || own.size_bytes != sizeof(std::uint64_t) ||
      own.pointer_bytes != sizeof(std::uint64_t) ||
      types.end().value - descriptor.value < shape_->size_bytes)
    return fail(Errc::malformed, "no map type");

  const auto bytes = TRY(binary_.elf().read_data({descriptor, shape_->size_bytes}));
  const ByteReader fields{bytes};
  const auto key = TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(kKey))));
  const auto element = TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(kElement))));
  const auto group = TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(kGroup))));
  const auto flags = TRY(fields.read_at<std::uint32_t>(shape_->flags));
  const std::uint64_t group_bytes = shape_->is_classic
                                        ? TRY(fields.read_at<std::uint16_t>(shape_->group_bytes))
                                        : TRY(fields.read_at<std::uint64_t>(shape_->group_bytes));
  MapType type{
      .name = TRY(read_name(TRY(fields.read_at<std::int32_t>(kName)),
                            (TRY(fields.read_at<std::uint8_t>(kTypeFlags)) & kExtraStar) != 0)),
      .key_bytes = key.size_bytes,
      .element_bytes = element.size_bytes,
      .group_bytes = group_bytes,
      .group_has_pointers = group.pointer_bytes != 0,
      .key_is_indirect = (flags & shape_->indirect_key) != 0,
      .element_is_indirect = (flags & shape_->indirect_element) != 0};
  // What the compiler derives from one another; a layout that is read wrongly breaks it.
  if (group.kind != kKindStruct || group.size_bytes != type.group_bytes ||
      type.key_is_indirect != (key.size_bytes > kDirectBytesMax) ||
      type.element_is_indirect != (element.size_bytes > kDirectBytesMax))
    return fail(Errc::malformed, "no map type, or not of this shape");
  return type;
}

// A name is flags, a length and the text: reflect/type.go (until 1.20), internal/abi/type.go.
Result<std::string> MapTypeReader::read_name(std::int32_t offset, bool has_extra_star) const {
  const ElfRange &types = binary_.module_data().types;
  const auto at = static_cast<std::uint64_t>(offset);
  if (offset <= 0 || at >= types.size_bytes)
    return fail(Errc::malformed, "a name outside of the types");
  const ElfAddress start{types.start.value + at};
  const auto bytes = TRY(binary_.elf().raw_from(start)); // text needs no relocation
  ByteReader name{bytes.first(std::min<std::uint64_t>(bytes.size(), types.size_bytes - at))};
  (void)TRY(name.read<std::uint8_t>()); // flags
  const auto length = TRY(name.read_uvarint());
  auto text = TRY(name.window(0, length)).bytes();
  std::string result{reinterpret_cast<const char *>(text.data()), text.size()};
  if (has_extra_star) {
    if (!result.starts_with('*'))
      return fail(Errc::malformed, "a name without the star that it should have");
    result.erase(0, 1);
  }
  return result;
}

} // namespace mapscope
