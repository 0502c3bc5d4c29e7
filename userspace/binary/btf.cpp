// Reading of BTF records; see btf.h. Layouts: include/uapi/linux/btf.h of the kernel.
#include "binary/btf.h"

namespace mapscope {
namespace {

constexpr std::uint16_t kMagic = 0xeb9f;
// As the kernel limits them (BTF_MAX_TYPE, BTF_MAX_NAME_OFFSET, KSYM_NAME_LEN).
constexpr std::size_t kTypesMax = 0xfffff;
constexpr std::size_t kNameBytesMax = 512;
// Deeper than any program nests; the kernel stops at 32 (MAX_RESOLVE_DEPTH).
constexpr int kDepthMax = 32;
constexpr std::uint64_t kSizeMax = 1ULL << 32;
constexpr std::uint32_t kPointerBytes = 8; // of the BPF machine

struct BtfHeader {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t header_bytes, types_offset, types_bytes, strings_offset, strings_bytes;
};
static_assert(sizeof(BtfHeader) == 24);

struct BtfRecord {
  std::uint32_t name, info, size_or_type;
  std::uint32_t vlen() const { return info & 0xffffU; }
  std::uint32_t kind() const { return (info >> 24) & 0x1fU; }
  bool flag() const { return (info >> 31) != 0; }
};
static_assert(sizeof(BtfRecord) == 12);

struct BtfArrayRecord {
  std::uint32_t element, index, count;
};

// What follows a record, by its kind: bytes once, and for each of its vlen parts.
struct TailSizes {
  std::uint32_t once = 0, each = 0;
};

Result<TailSizes> tail_sizes(std::uint32_t kind) {
  switch (static_cast<BtfKind>(kind)) {
  case BtfKind::pointer:
  case BtfKind::forward:
  case BtfKind::type_definition:
  case BtfKind::volatile_:
  case BtfKind::const_:
  case BtfKind::restrict_:
  case BtfKind::function:
  case BtfKind::floating:
  case BtfKind::type_tag:
    return TailSizes{};
  case BtfKind::integer:
  case BtfKind::variable:
  case BtfKind::declaration_tag:
    return TailSizes{.once = 4};
  case BtfKind::array:
    return TailSizes{.once = sizeof(BtfArrayRecord)};
  case BtfKind::structure:
  case BtfKind::union_:
  case BtfKind::data_section:
  case BtfKind::enumeration64:
    return TailSizes{.each = 12};
  case BtfKind::enumeration:
  case BtfKind::prototype:
    return TailSizes{.each = 8};
  case BtfKind::void_:
    break;
  }
  return fail(Errc::unsupported, "a type of kind {}, which this build does not know", kind);
}

bool is_transparent(BtfKind kind) {
  return kind == BtfKind::type_definition || kind == BtfKind::volatile_ ||
         kind == BtfKind::const_ || kind == BtfKind::restrict_ || kind == BtfKind::type_tag;
}

} // namespace

Result<Btf> Btf::parse(std::span<const std::byte> section) {
  ByteReader reader{section};
  const auto header = TRY_WHILE(reader.read_at<BtfHeader>(0), "BTF header");
  if (header.magic != kMagic)
    return fail(Errc::malformed, "BTF begins with {:#x}, not {:#x}", header.magic, kMagic);
  if (header.version != 1)
    return fail(Errc::unsupported, "BTF of version {}; mapscope reads version 1", header.version);
  if (header.header_bytes < sizeof(BtfHeader))
    return fail(Errc::malformed, "a BTF header of {} bytes", header.header_bytes);
  const ByteReader body = TRY_WHILE(reader.from(header.header_bytes), "BTF behind its header");
  Btf btf{TRY_WHILE(body.window(header.types_offset, header.types_bytes), "BTF types"),
          TRY_WHILE(body.window(header.strings_offset, header.strings_bytes), "BTF strings")};
  TRY_WHILE(btf.index_types(), "BTF types");
  return btf;
}

Result<> Btf::index_types() {
  offsets_.push_back(0);
  std::uint64_t at = 0;
  while (at < types_.size()) {
    if (offsets_.size() > kTypesMax)
      return fail(Errc::malformed, "more than {} of them", kTypesMax);
    const auto record = TRY(types_.read_at<BtfRecord>(at));
    const TailSizes tail = TRY_WHILE(tail_sizes(record.kind()), "type {}", offsets_.size());
    const std::uint64_t bytes =
        sizeof(record) + tail.once + std::uint64_t{tail.each} * record.vlen();
    TRY_WHILE(types_.window(at, bytes), "type {}", offsets_.size());
    offsets_.push_back(static_cast<std::uint32_t>(at));
    at += bytes;
  }
  return {};
}

Result<std::string_view> Btf::string(std::uint32_t offset) const {
  if (offset == 0) // also where there are no strings at all
    return std::string_view{};
  return TRY_WHILE(strings_.string_at(offset, kNameBytesMax), "BTF name");
}

Result<BtfType> Btf::type(std::uint32_t id) const {
  if (id == 0)
    return BtfType{};
  if (id >= offsets_.size())
    return fail(Errc::malformed, "BTF type {} of {}", id, offsets_.size());
  const auto record = TRY(types_.read_at<BtfRecord>(offsets_[id]));
  const std::uint64_t tail = std::uint64_t{offsets_[id]} + sizeof(record);
  BtfType type{.kind = static_cast<BtfKind>(record.kind()), .name = TRY(string(record.name))};
  switch (type.kind) {
  case BtfKind::integer:
  case BtfKind::floating:
    type.size = record.size_or_type;
    break;
  case BtfKind::structure:
  case BtfKind::union_:
  case BtfKind::enumeration:
  case BtfKind::enumeration64:
  case BtfKind::data_section:
    type.size = record.size_or_type;
    type.member_count = record.vlen();
    break;
  case BtfKind::array: {
    const auto array = TRY(types_.read_at<BtfArrayRecord>(tail));
    type.target = array.element;
    type.element_count = array.count;
    break;
  }
  case BtfKind::variable:
    type.target = record.size_or_type;
    type.linkage = TRY(types_.read_at<std::uint32_t>(tail));
    break;
  case BtfKind::declaration_tag:
    type.target = record.size_or_type;
    type.component = TRY(types_.read_at<std::int32_t>(tail));
    break;
  case BtfKind::forward:
    type.is_union = record.flag();
    break;
  default:
    type.target = record.size_or_type;
  }
  return type;
}

Result<BtfMember> Btf::member(std::uint32_t id, std::uint32_t index) const {
  const BtfType parent = TRY(type(id));
  const bool is_section = parent.kind == BtfKind::data_section;
  if (index >= parent.member_count ||
      (!is_section && parent.kind != BtfKind::structure && parent.kind != BtfKind::union_))
    return fail(Errc::malformed, "member {} of BTF type {}, which has {}", index, id,
                parent.member_count);
  // struct btf_member {name, type, offset}; struct btf_var_secinfo {type, offset, size}
  const auto words = TRY((types_.read_at<std::array<std::uint32_t, 3>>(
      std::uint64_t{offsets_[id]} + sizeof(BtfRecord) + std::uint64_t{index} * 12)));
  if (is_section)
    return BtfMember{.name = {}, .type = words[0]};
  return BtfMember{.name = TRY(string(words[0])), .type = words[1]};
}

Result<std::uint64_t> Btf::enumerator(std::uint32_t id, std::uint32_t index) const {
  const BtfType parent = TRY(type(id));
  const bool is_wide = parent.kind == BtfKind::enumeration64;
  if (index >= parent.member_count || (!is_wide && parent.kind != BtfKind::enumeration))
    return fail(Errc::malformed, "enumerator {} of BTF type {}", index, id);
  // struct btf_enum {name, value}; struct btf_enum64 {name, low, high}
  const std::uint64_t at =
      std::uint64_t{offsets_[id]} + sizeof(BtfRecord) + std::uint64_t{index} * (is_wide ? 12 : 8);
  const std::uint64_t low = TRY(types_.read_at<std::uint32_t>(at + 4));
  if (!is_wide)
    return low;
  return low | std::uint64_t{TRY(types_.read_at<std::uint32_t>(at + 8))} << 32;
}

Result<std::uint32_t> Btf::resolve(std::uint32_t id) const {
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const BtfType it = TRY(type(id));
    if (!is_transparent(it.kind))
      return id;
    id = it.target;
  }
  return fail(Errc::malformed, "BTF type {} is more than {} names deep, or in a cycle", id,
              kDepthMax);
}

Result<std::uint64_t> Btf::size_of(std::uint32_t id) const {
  std::uint64_t factor = 1; // of the arrays around it
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const BtfType it = TRY(type(TRY(resolve(id))));
    std::uint64_t size = 0;
    switch (it.kind) {
    case BtfKind::array:
      if (it.element_count != 0 && factor > kSizeMax / it.element_count)
        return fail(Errc::malformed, "BTF type {} is larger than 4 GiB", id);
      factor *= it.element_count;
      id = it.target;
      continue;
    case BtfKind::pointer:
      size = kPointerBytes;
      break;
    case BtfKind::integer:
    case BtfKind::floating:
    case BtfKind::structure:
    case BtfKind::union_:
    case BtfKind::enumeration:
    case BtfKind::enumeration64:
      size = it.size;
      break;
    default:
      return fail(Errc::malformed, "BTF type {} has no size", id);
    }
    if (size != 0 && factor > kSizeMax / size)
      return fail(Errc::malformed, "BTF type {} is larger than 4 GiB", id);
    return factor * size;
  }
  return fail(Errc::malformed, "BTF type {} is more than {} arrays deep, or in a cycle", id,
              kDepthMax);
}

Result<std::string> Btf::c_name(std::uint32_t id) const {
  // Pointers and arrays are written behind what they are of, the innermost first.
  std::string behind;
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const BtfType it = TRY(type(id));
    auto named = [&](std::string_view word) {
      return fmt::format("{}{}{}", word, it.name.empty() ? "(unnamed)" : it.name, behind);
    };
    switch (it.kind) {
    case BtfKind::pointer:
      behind.insert(0, " *");
      break;
    case BtfKind::array:
      behind += fmt::format("[{}]", it.element_count);
      break;
    case BtfKind::volatile_:
    case BtfKind::const_:
    case BtfKind::restrict_:
    case BtfKind::type_tag:
      break;
    case BtfKind::void_:
      return "void" + behind;
    case BtfKind::structure:
      return named("struct ");
    case BtfKind::union_:
      return named("union ");
    case BtfKind::enumeration:
    case BtfKind::enumeration64:
      return named("enum ");
    case BtfKind::forward:
      return named(it.is_union ? "union " : "struct ");
    case BtfKind::prototype:
      return "function" + behind;
    default:
      return named("");
    }
    id = it.target;
  }
  return fail(Errc::malformed, "BTF type {} is in a cycle, or too deep to name", id);
}

} // namespace mapscope
