// Fields of descriptors, each within the bytes of all.
#include "binary/type_descriptors.h"

#include "base/user_space.h"

namespace mapscope {

Result<TypeDescriptors> TypeDescriptors::open(const GoBinary &binary) {
  const ElfRange range = binary.module_data().types;
  if (range.size_bytes < TypeFields::kBytes || !is_in_user_space(range))
    return fail(Errc::malformed, "no place for type descriptors");
  TypeDescriptors opened{range};
  if (const auto raw = binary.elf().raw(range); raw && !binary.elf().is_pie()) {
    opened.bytes_ = *raw;
    return opened;
  }
  opened.relocated_ = TRY(binary.elf().read_data(range));
  opened.bytes_ = opened.relocated_;
  return opened;
}

std::optional<DescriptorHeader> TypeDescriptors::read(ElfAddress descriptor) const {
  constexpr std::uint64_t kAlignment = 8;
  if (!range_.contains(descriptor) || descriptor.value % kAlignment != 0)
    return std::nullopt;
  const auto type =
      ByteReader{bytes_}.window(descriptor.value - range_.start.value, TypeFields::kBytes);
  if (!type)
    return std::nullopt;
  const auto size = type->read_at<std::uint64_t>(TypeFields::kSize);
  const auto pointers = type->read_at<std::uint64_t>(TypeFields::kPointerBytes);
  const auto kind = type->read_at<std::uint8_t>(TypeFields::kKind);
  if (!size || !pointers || !kind || *pointers > *size)
    return std::nullopt;
  return DescriptorHeader{.size_bytes = *size,
                          .pointer_bytes = *pointers,
                          .kind = static_cast<GoKind>(*kind & TypeFields::kKindMask)};
}

// A name is flags, a length and the text: reflect/type.go (until 1.20), internal/abi/type.go.
std::string_view TypeDescriptors::name(ElfAddress descriptor) const {
  if (!range_.contains(descriptor))
    return {};
  const ByteReader all{bytes_};
  const std::uint64_t at = descriptor.value - range_.start.value;
  const auto type = all.window(at, TypeFields::kBytes);
  if (!type)
    return {};
  const auto offset = type->read_at<std::int32_t>(TypeFields::kName);
  const auto flags = type->read_at<std::uint8_t>(TypeFields::kFlags);
  if (!offset || !flags || *offset <= 0)
    return {};
  auto name = all.from(static_cast<std::uint64_t>(*offset) + 1); // behind the name's flags
  const auto length = name ? name->read_uvarint() : Result<std::uint64_t>{0};
  const auto text = length && name ? name->window(0, *length) : name;
  if (!text || !length)
    return {};
  std::string_view result{reinterpret_cast<const char *>(text->bytes().data()), text->size()};
  if ((*flags & TypeFields::kExtraStar) != 0 && result.starts_with('*'))
    result.remove_prefix(1);
  return result;
}

} // namespace mapscope
