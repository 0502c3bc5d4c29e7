// Descriptors of map types in the file, with every field checked against others.
#include "binary/map_types.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/byte_reader.h"
#include "binary/probe_text.h"
#include "go/type_descriptor.h"
#include "wire/map_type_json.h"

namespace mapscope {
namespace {

// One type as others refer to it.
struct TypeHeader {
  std::uint64_t size_bytes = 0, pointer_bytes = 0; // the latter: up to its last pointer
  GoKind kind = GoKind::invalid;
};

Result<TypeHeader> read_header(const GoBinary &binary, std::uint64_t address) {
  const ElfRange &types = binary.module_data().types;
  if (!types.contains({address}) || types.end().value - address < TypeFields::kBytes)
    return fail(Errc::malformed, "{:#x} is no type", address);
  const auto bytes = TRY(binary.elf().read_data({{address}, TypeFields::kBytes}));
  const ByteReader type{bytes};
  return TypeHeader{.size_bytes = TRY(type.read_at<std::uint64_t>(TypeFields::kSize)),
                    .pointer_bytes = TRY(type.read_at<std::uint64_t>(TypeFields::kPointerBytes)),
                    .kind = static_cast<GoKind>(TRY(type.read_at<std::uint8_t>(TypeFields::kKind)) &
                                                TypeFields::kKindMask)};
}

} // namespace

MapTypeReader::MapTypeReader(const GoBinary &binary)
    : binary_(binary),
      shape_(MapTypeShape::of(find_map_implementation(binary), binary.module_data().is_from_1_27)) {
}

std::optional<MapType> MapTypeReader::read(ElfAddress descriptor) const {
  if (!shape_)
    return std::nullopt;
  auto type = try_read(descriptor);
  return type && is_possible(*type) ? std::optional{*std::move(type)} : std::nullopt;
}

Result<MapType> MapTypeReader::try_read(ElfAddress descriptor) const {
  const ElfRange &types = binary_.module_data().types;
  const auto own = TRY(read_header(binary_, descriptor.value));
  if (own.kind != GoKind::map || own.size_bytes != sizeof(std::uint64_t) ||
      own.pointer_bytes != sizeof(std::uint64_t) ||
      types.end().value - descriptor.value < shape_->size_bytes)
    return fail(Errc::malformed, "no map type");

  const auto bytes = TRY(binary_.elf().read_data({descriptor, shape_->size_bytes}));
  const ByteReader fields{bytes};
  const auto key =
      TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(TypeFields::kMapKey))));
  const auto element =
      TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(TypeFields::kMapElement))));
  const auto group =
      TRY(read_header(binary_, TRY(fields.read_at<std::uint64_t>(TypeFields::kMapGroup))));
  const auto flags = TRY(fields.read_at<std::uint32_t>(shape_->flags));
  const std::uint64_t group_bytes = shape_->is_classic
                                        ? TRY(fields.read_at<std::uint16_t>(shape_->group_bytes))
                                        : TRY(fields.read_at<std::uint64_t>(shape_->group_bytes));
  MapType type{.name = TRY(read_name(TRY(fields.read_at<std::int32_t>(TypeFields::kName)),
                                     (TRY(fields.read_at<std::uint8_t>(TypeFields::kFlags)) &
                                      TypeFields::kExtraStar) != 0)),
               .key_bytes = key.size_bytes,
               .element_bytes = element.size_bytes,
               .group_bytes = group_bytes,
               .group_has_pointers = group.pointer_bytes != 0,
               .key_is_indirect = (flags & shape_->indirect_key) != 0,
               .element_is_indirect = (flags & shape_->indirect_element) != 0};
  // What the compiler derives from one another; a layout that is read wrongly breaks it.
  if (group.kind != GoKind::structure || group.size_bytes != type.group_bytes ||
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
