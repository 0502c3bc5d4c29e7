// Bounds first, then the fields, then what no descriptor can be.
#include "heap/type_memory.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/byte_reader.h"
#include "base/printable.h"

namespace mapscope {
namespace {

// Prometheus, with 1,500 map types, has some 10 MB.
constexpr std::uint64_t kTypesBytesMax = 256 << 20;
// Of what reflect made; a descriptor has some hundred bytes.
constexpr std::uint64_t kOthersBytesMax = 16 << 20;
// One range of process_vm_readv must not come near what the kernel does in one call (2 GiB).
constexpr std::uint64_t kChunkBytes = 64 << 20;
// No type can be larger: cmd/compile/internal/types, MaxWidth.
constexpr std::uint64_t kTypeBytesMax = 1ULL << 50;
// Type strings of real programs have some hundred bytes; those of generics some thousand.
constexpr std::size_t kNameBytesMax = 4096;

// Whether a type of a kind can have this size; types of some kinds can have any.
bool is_size_of(GoKind kind, std::uint64_t size_bytes) {
  switch (kind) {
  case GoKind::boolean:
  case GoKind::int8:
  case GoKind::uint8:
    return size_bytes == 1;
  case GoKind::int16:
  case GoKind::uint16:
    return size_bytes == 2;
  case GoKind::int32:
  case GoKind::uint32:
  case GoKind::float32:
    return size_bytes == 4;
  case GoKind::complex128:
  case GoKind::string:
  case GoKind::interface:
    return size_bytes == 16;
  case GoKind::slice:
    return size_bytes == 24;
  case GoKind::array:
  case GoKind::structure:
    return true;
  default:
    return size_bytes == 8;
  }
}

} // namespace

Result<TypeMemory> TypeMemory::read(AddressSpace &space, ProcessRange types,
                                    const BinaryFacts &facts) {
  if (types.size_bytes == 0)
    return fail(Errc::unsupported, "where the types of this program lie is not known");
  if (types.size_bytes > kTypesBytesMax ||
      types.start.value > std::numeric_limits<std::uint64_t>::max() - types.size_bytes)
    return fail(Errc::unsupported, "the types of this program are said to have {} bytes",
                types.size_bytes);
  TypeMemory memory;
  memory.start_ = types.start.value;
  memory.minor_ = facts.version.minor;
  memory.bytes_.resize(types.size_bytes);
  std::vector<MemoryRead> reads;
  for (std::uint64_t at = 0; at < types.size_bytes; at += kChunkBytes)
    reads.push_back(
        {{types.start.value + at},
         std::span{memory.bytes_}.subspan(at, std::min(kChunkBytes, types.size_bytes - at))});
  TRY(space.read(reads));
  if (!std::ranges::all_of(reads, &MemoryRead::is_read))
    return fail(Errc::not_found, "the types of this program, {} bytes at {:#x}, can't be read",
                types.size_bytes, types.start.value);
  return memory;
}

std::span<const std::byte> TypeMemory::from(std::uint64_t address,
                                            std::uint64_t size_bytes_max) const {
  auto part = [&](std::uint64_t start, std::span<const std::byte> bytes) {
    const std::uint64_t offset = address - start;
    return offset < bytes.size()
               ? bytes.subspan(offset,
                               std::min<std::uint64_t>(size_bytes_max, bytes.size() - offset))
               : std::span<const std::byte>{};
  };
  if (const auto here = part(start_, bytes_); !here.empty() || others_.empty())
    return here;
  const auto after = others_.upper_bound(address);
  if (after == others_.begin())
    return {};
  const auto &[start, bytes] = *std::prev(after);
  return part(start, bytes);
}

std::optional<std::span<const std::byte>> TypeMemory::at(std::uint64_t address,
                                                         std::uint64_t size_bytes) const {
  const auto bytes = from(address, size_bytes);
  return bytes.size() == size_bytes ? std::optional{bytes} : std::nullopt;
}

std::optional<std::uint64_t> TypeMemory::word(std::uint64_t address) const {
  const auto bytes = at(address, 8);
  return bytes ? std::optional{load<std::uint64_t>(*bytes, 0)} : std::nullopt;
}

std::optional<TypeHeader> TypeMemory::header(std::uint64_t type) const {
  const auto bytes = at(type, TypeFields::kBytes);
  if (!bytes)
    return std::nullopt;
  const unsigned flags = load<std::uint8_t>(*bytes, TypeFields::kFlags);
  const unsigned kind = load<std::uint8_t>(*bytes, TypeFields::kKind);
  TypeHeader header{.size_bytes = load<std::uint64_t>(*bytes, TypeFields::kSize),
                    .pointer_bytes = load<std::uint64_t>(*bytes, TypeFields::kPointerBytes),
                    .alignment = load<std::uint8_t>(*bytes, TypeFields::kAlignment),
                    .field_alignment = load<std::uint8_t>(*bytes, TypeFields::kFieldAlignment),
                    .kind = static_cast<GoKind>(kind & TypeFields::kKindMask),
                    .has_extra_star = (flags & TypeFields::kExtraStar) != 0,
                    .is_regular_memory = (flags & TypeFields::kRegularMemory) != 0,
                    .is_direct_in_interface = is_from(26)
                                                  ? (flags & TypeFields::kDirectInterfaceFlag) != 0
                                                  : (kind & TypeFields::kDirectInterfaceKind) != 0,
                    .is_comparable = load<std::uint64_t>(*bytes, TypeFields::kEqual) != 0,
                    .name = load<std::int32_t>(*bytes, TypeFields::kName)};
  if (header.kind == GoKind::invalid || header.kind > GoKind::unsafe_pointer ||
      !is_size_of(header.kind, header.size_bytes) || header.size_bytes > kTypeBytesMax ||
      header.pointer_bytes > header.size_bytes || header.pointer_bytes % 8 != 0 ||
      !std::has_single_bit(header.alignment) || header.size_bytes % header.alignment != 0)
    return std::nullopt;
  if (header.field_alignment == 0) // of buckets that reflect made
    header.field_alignment = header.alignment;
  if (!std::has_single_bit(header.field_alignment))
    return std::nullopt;
  return header;
}

std::optional<std::string_view> TypeMemory::name_at(std::uint64_t address) const {
  ByteReader name{from(address, kNameBytesMax + 16)};
  if (const auto flags = name.read<std::uint8_t>(); !flags)
    return std::nullopt;
  const auto length = name.read_uvarint();
  if (!length || *length > kTypesBytesMax)
    return std::nullopt;
  const auto text = name.bytes().first(std::min<std::uint64_t>(*length, name.size()));
  if (text.size() < std::min<std::uint64_t>(*length, kNameBytesMax))
    return std::nullopt; // goes on where no types are
  return std::string_view{reinterpret_cast<const char *>(text.data()),
                          std::min(text.size(), kNameBytesMax)};
}

std::string TypeMemory::type_name(const TypeHeader &header) const {
  if (header.name <= 0 || static_cast<std::uint64_t>(header.name) >= bytes_.size())
    return {};
  auto text = name_at(start_ + static_cast<std::uint64_t>(header.name));
  if (!text)
    return {};
  if (header.has_extra_star) {
    if (!text->starts_with('*'))
      return {};
    text->remove_prefix(1);
  }
  return printable(*text);
}

std::optional<FieldEntries> TypeMemory::fields(std::uint64_t type, const TypeHeader &header) const {
  const auto descriptor = at(type, TypeFields::kStructBytes);
  if (!descriptor || header.kind != GoKind::structure)
    return std::nullopt;
  const auto start = load<std::uint64_t>(*descriptor, TypeFields::kStructFields);
  const auto count = load<std::uint64_t>(*descriptor, TypeFields::kStructFields + 8);
  if (count > kTypesBytesMax / TypeFields::kFieldBytes)
    return std::nullopt;
  const auto bytes = at(start, count * TypeFields::kFieldBytes);
  if (!bytes)
    return std::nullopt;
  // The lowest bit of an offset told of an embedded field until 1.18.
  return FieldEntries{*bytes, !is_from(19)};
}

std::optional<TypeMemory::Array> TypeMemory::array(std::uint64_t type,
                                                   const TypeHeader &header) const {
  const auto descriptor = at(type, TypeFields::kArrayBytes);
  if (!descriptor || header.kind != GoKind::array)
    return std::nullopt;
  const Array array{.element = load<std::uint64_t>(*descriptor, TypeFields::kElement),
                    .length = load<std::uint64_t>(*descriptor, TypeFields::kArrayLength)};
  const auto element = this->header(array.element);
  std::uint64_t size_bytes = 0;
  if (!element || __builtin_mul_overflow(array.length, element->size_bytes, &size_bytes) ||
      size_bytes != header.size_bytes)
    return std::nullopt;
  return array;
}

std::optional<bool> TypeMemory::is_empty_interface(std::uint64_t type) const {
  const auto count = word(type + TypeFields::kInterfaceMethods + 8);
  return count ? std::optional{*count == 0} : std::nullopt;
}

void TypeMemory::add(std::uint64_t address, std::vector<std::byte> bytes) {
  if (others_bytes_ + bytes.size() > kOthersBytesMax || bytes.empty())
    return;
  others_bytes_ += bytes.size();
  others_.insert_or_assign(address, std::move(bytes));
}

} // namespace mapscope
