// Names, kinds, sizes and pointers back: what a compiler can't but make agree.
#include "heap/owners/type_claims.h"

#include <array>
#include <unordered_set>
#include <vector>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

// abi.Type, beside TypeFields.
constexpr std::uint64_t kHash = 16, kGcData = 32, kPointerToThis = 44;
constexpr std::uint64_t kMadeTypesMax = 64;       // that one refers to
constexpr std::int32_t kMadeNameMin = -(1 << 24); // reflect counts its names down from -1

bool is_in(const TypeMemory &memory, std::uint64_t address) {
  return address - memory.start() < memory.bytes().size();
}

// Types of one word that is a pointer are held in interfaces as they are; the flag and the kind
// have to agree. Go source: cmd/compile/internal/types, IsDirectIface.
bool is_direct_as_its_kind(const TypeHeader &header) {
  const bool is_pointer = header.size_bytes == 8 && header.pointer_bytes == 8;
  switch (header.kind) {
  case GoKind::channel:
  case GoKind::function:
  case GoKind::map:
  case GoKind::unsafe_pointer:
    return header.is_direct_in_interface && is_pointer;
  case GoKind::pointer: // those to memory of the runtime's own are not followed
    return header.is_direct_in_interface == is_pointer;
  case GoKind::array:
  case GoKind::structure:
    return !header.is_direct_in_interface || is_pointer;
  default:
    return !header.is_direct_in_interface;
  }
}

// What all descriptors have in common, wherever they lie.
bool is_sound(const TypeMemory &memory, std::uint64_t descriptor, const TypeHeader &header) {
  const auto mask = memory.word(descriptor + kGcData);
  return is_direct_as_its_kind(header) && header.alignment <= 8 && header.field_alignment <= 8 &&
         mask && (header.pointer_bytes == 0 || *mask != 0);
}

// The types that one refers to by value or by pointer.
std::vector<std::uint64_t> types_in(const TypeMemory &memory, std::uint64_t descriptor,
                                    const TypeHeader &header) {
  std::vector<std::uint64_t> types;
  auto add = [&](std::uint64_t offset) {
    types.push_back(memory.word(descriptor + offset).value_or(0));
  };
  switch (header.kind) {
  case GoKind::array:
  case GoKind::channel:
  case GoKind::pointer:
  case GoKind::slice:
    add(TypeFields::kElement);
    break;
  case GoKind::map: // of its group, reflect may have made no more than the common part
    add(TypeFields::kMapKey);
    add(TypeFields::kMapElement);
    break;
  case GoKind::structure: {
    const auto fields = memory.fields(descriptor, header);
    for (std::size_t i = 0; fields && i < fields->size(); ++i)
      types.push_back((*fields)[i].type);
    if (!fields)
      types.push_back(0);
    break;
  }
  default:
    break;
  }
  return types;
}

bool is_pointer_to(const TypeMemory &memory, std::uint64_t pointer, std::uint64_t type) {
  const auto header = memory.header(pointer);
  return header && header->kind == GoKind::pointer &&
         memory.word(pointer + TypeFields::kElement) == type;
}

} // namespace

bool is_type_of_executable(const GoTypes &types, std::uint64_t descriptor) {
  const TypeMemory &memory = types.memory();
  if (descriptor % 8 != 0 || !is_in(memory, descriptor))
    return false;
  const auto header = memory.header(descriptor);
  const auto bytes = memory.at(descriptor, TypeFields::kBytes);
  if (!header || !bytes || !is_sound(memory, descriptor, *header) ||
      memory.type_name(*header).empty())
    return false;
  if (const auto offset = load<std::int32_t>(*bytes, kPointerToThis);
      offset != 0 &&
      !is_pointer_to(memory, memory.start() + static_cast<std::uint64_t>(offset), descriptor))
    return false;
  for (const std::uint64_t type : types_in(memory, descriptor, *header))
    if (!memory.header(type))
      return false;
  return types.type({descriptor}).has_value();
}

Result<bool> learn_made_type(AddressSpace &space, GoTypes &types, std::uint64_t descriptor) {
  std::vector<std::uint64_t> pending{descriptor};
  std::unordered_set<std::uint64_t> seen;
  while (!pending.empty()) {
    const std::uint64_t type = pending.back();
    pending.pop_back();
    if (!seen.insert(type).second || is_type_of_executable(types, type))
      continue;
    if (seen.size() > kMadeTypesMax || is_in(types.memory(), type) || type % 8 != 0)
      return false;
    // Nothing is kept of what can be no type.
    std::array<std::byte, TypeFields::kBytes> bytes{};
    MemoryRead read{{type}, bytes};
    TRY(space.read({&read, 1}));
    const auto name = load<std::int32_t>(bytes, TypeFields::kName);
    if (!read.is_read || name >= 0 || name < kMadeNameMin ||
        load<std::int32_t>(bytes, kPointerToThis) != 0 || !TRY(types.learn(space, {type})))
      return false;
    const auto header = types.memory().header(type);
    if (!header || !is_sound(types.memory(), type, *header))
      return false;
    for (const std::uint64_t other : types_in(types.memory(), type, *header))
      pending.push_back(other);
  }
  return types.type({descriptor}).has_value();
}

bool is_closure_struct(const TypeMemory &memory, std::uint64_t type) {
  const auto header = memory.header(type);
  const auto fields = header ? memory.fields(type, *header) : std::nullopt;
  if (!fields || fields->size() < 2)
    return false;
  const FieldEntry entry = (*fields)[0];
  const auto kind = memory.header(entry.type);
  return entry.offset == 0 && kind && kind->kind == GoKind::uintptr;
}

bool names_shape(const TypeMemory &memory, std::uint64_t type) {
  const auto header = memory.header(type);
  if (!header || header->name <= 0)
    return false;
  const auto name = memory.name_at(memory.start() + static_cast<std::uint64_t>(header->name));
  return name && name->find("go.shape.") != name->npos;
}

std::optional<std::uint32_t> type_hash(const TypeMemory &memory, std::uint64_t type) {
  const auto bytes = memory.at(type, TypeFields::kBytes);
  return bytes ? std::optional{load<std::uint32_t>(*bytes, kHash)} : std::nullopt;
}

} // namespace mapscope
