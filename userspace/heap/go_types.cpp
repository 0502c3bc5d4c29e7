// Type descriptors as bytes, each field checked against others.
#include "heap/go_types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"
#include "wire/map_type_json.h"

namespace mapscope {
namespace {

// Of one list: real programs stay far below, and a hostile one must not fill our memory.
constexpr std::size_t kMapTypesMax = 1 << 16;
constexpr std::size_t kFieldsMax = 1 << 18;
constexpr std::size_t kTextBytesMax = 64 << 20;
constexpr std::size_t kFieldsOfTypeMax = 4096;
// A bitmap of pointers is asked for of groups, keys and elements.
constexpr std::uint64_t kMaskedBytesMax = 16 << 20;

bool contains(std::span<const std::byte> bytes, std::uint64_t start, std::uint64_t address) {
  return address - start < bytes.size();
}

} // namespace

// What all types of one list may cost together.
struct GoTypes::Budget {
  TypeWork work{.visits_left = 1 << 22};
  std::size_t fields_left = kFieldsMax, text_left = kTextBytesMax;

  bool take_text(const std::string &text) {
    if (text.size() > text_left)
      return false;
    text_left -= text.size();
    return true;
  }
};

Result<GoTypes> GoTypes::read(AddressSpace &space, ProcessRange types, const BinaryFacts &facts) {
  auto memory = TRY(TypeMemory::read(space, types, facts));
  const auto shape = MapTypeShape::of(facts.map_implementation, memory.is_from(27));
  return GoTypes{std::move(memory), shape};
}

std::vector<MapTypeLayout> GoTypes::map_types() const {
  std::vector<MapTypeLayout> types;
  const auto bytes = memory_->bytes();
  if (!shape_ || bytes.size() < shape_->size_bytes)
    return types;
  Budget budget;
  const auto start = memory_->start();
  const std::size_t last = bytes.size() - shape_->size_bytes;
  // Most words are no map type, and the byte of the kind tells.
  for (std::size_t at = (8 - start % 8) % 8; at <= last && types.size() < kMapTypesMax; at += 8) {
    const auto kind = load<std::uint8_t>(bytes, at + TypeFields::kKind);
    if (static_cast<GoKind>(kind & TypeFields::kKindMask) != GoKind::map ||
        load<std::uint64_t>(bytes, at + TypeFields::kSize) != 8 ||
        load<std::uint64_t>(bytes, at + TypeFields::kPointerBytes) != 8 ||
        !contains(bytes, start, load<std::uint64_t>(bytes, at + TypeFields::kMapKey)) ||
        !contains(bytes, start, load<std::uint64_t>(bytes, at + TypeFields::kMapElement)) ||
        !contains(bytes, start, load<std::uint64_t>(bytes, at + TypeFields::kMapGroup)))
      continue;
    if (auto type = map_type(start + at, budget))
      types.push_back(*std::move(type));
  }
  return types;
}

std::optional<MapTypeLayout> GoTypes::map_type(ProcessAddress descriptor) const {
  Budget budget;
  return map_type(descriptor.value, budget);
}

std::optional<GoType> GoTypes::type(ProcessAddress descriptor) const {
  Budget budget;
  return type(descriptor.value, budget);
}

std::optional<MapTypeLayout> GoTypes::map_type(std::uint64_t descriptor, Budget &budget) const {
  if (!shape_)
    return std::nullopt;
  const auto own = memory_->header(descriptor);
  const auto bytes = memory_->at(descriptor, shape_->size_bytes);
  if (!own || !bytes || own->kind != GoKind::map || own->size_bytes != 8 || own->pointer_bytes != 8)
    return std::nullopt;
  const auto key = load<std::uint64_t>(*bytes, TypeFields::kMapKey);
  const auto element = load<std::uint64_t>(*bytes, TypeFields::kMapElement);
  const auto group = load<std::uint64_t>(*bytes, TypeFields::kMapGroup);
  const auto key_header = memory_->header(key), element_header = memory_->header(element),
             group_header = memory_->header(group);
  const auto flags = load<std::uint32_t>(*bytes, shape_->flags);
  if (!key_header || !element_header || !group_header || (flags & ~shape_->flags_known) != 0 ||
      group_header->kind != GoKind::structure)
    return std::nullopt;

  MapTypeLayout layout{.descriptor = {descriptor}, .group = {group}};
  layout.type.key_bytes = key_header->size_bytes;
  layout.type.element_bytes = element_header->size_bytes;
  layout.type.group_bytes = shape_->is_classic ? load<std::uint16_t>(*bytes, shape_->group_bytes)
                                               : load<std::uint64_t>(*bytes, shape_->group_bytes);
  layout.type.group_has_pointers = group_header->pointer_bytes != 0;
  layout.type.key_is_indirect = (flags & shape_->indirect_key) != 0;
  layout.type.element_is_indirect = (flags & shape_->indirect_element) != 0;
  // What the compiler derives from one another; a layout that is read wrongly breaks it.
  if (group_header->size_bytes != layout.type.group_bytes ||
      layout.type.key_is_indirect != (key_header->size_bytes > kDirectBytesMax) ||
      layout.type.element_is_indirect != (element_header->size_bytes > kDirectBytesMax) ||
      !place_entries(layout, *bytes))
    return std::nullopt;

  auto key_type = type(key, budget), element_type = type(element, budget);
  if (!key_type || !element_type)
    return std::nullopt;
  layout.key = *std::move(key_type);
  layout.element = *std::move(element_type);
  layout.type.name = memory_->type_name(*own);
  if (layout.type.name.empty()) // reflect made it
    layout.type.name = "map[" + layout.key.name + "]" + layout.element.name;
  layout.is_shape = layout.type.name.find("go.shape.") != std::string::npos;
  if (!is_possible(layout.type) || !budget.take_text(layout.type.name))
    return std::nullopt;
  return layout;
}

// Where keys and elements lie; false where that contradicts the sizes.
bool GoTypes::place_entries(MapTypeLayout &layout, std::span<const std::byte> descriptor) const {
  const std::uint64_t key = layout.key_bytes_in_group(), element = layout.element_bytes_in_group();
  const std::uint64_t group = layout.type.group_bytes;
  std::array<std::uint64_t, 4> place{}; // as in the layout
  if (shape_->is_classic) {
    // Eight hash bytes, keys, elements, and the pointer to the next bucket: runtime/map.go, bmap.
    place = {8, key, 8 + 8 * key, element};
    if (load<std::uint8_t>(descriptor, MapTypeShape::kClassicKeyBytes) != key ||
        load<std::uint8_t>(descriptor, MapTypeShape::kClassicElementBytes) != element ||
        group != 8 + 8 * key + 8 * element + 8)
      return false;
  } else if (shape_->has_strides) {
    place = {load<std::uint64_t>(descriptor, MapTypeShape::kKeysOffset),
             load<std::uint64_t>(descriptor, MapTypeShape::kKeyStride),
             load<std::uint64_t>(descriptor, MapTypeShape::kElementsOffset),
             load<std::uint64_t>(descriptor, MapTypeShape::kElementStride)};
  } else {
    const auto slot = load<std::uint64_t>(descriptor, MapTypeShape::kSlotBytes);
    const auto in_slot = load<std::uint64_t>(descriptor, MapTypeShape::kElementInSlot);
    if (in_slot > group || in_slot < key)
      return false;
    place = {8, slot, 8 + in_slot, slot};
  }
  // Eight of each, inside of the group, none over the other.
  auto fits = [group](std::uint64_t offset, std::uint64_t stride, std::uint64_t size_bytes) {
    return offset >= 8 && offset <= group && stride <= group && size_bytes <= stride &&
           7 * stride + size_bytes <= group - offset;
  };
  if (!fits(place[0], place[1], key) || !fits(place[2], place[3], element))
    return false;
  layout.keys_offset = static_cast<std::uint32_t>(place[0]);
  layout.key_stride = static_cast<std::uint32_t>(place[1]);
  layout.elements_offset = static_cast<std::uint32_t>(place[2]);
  layout.element_stride = static_cast<std::uint32_t>(place[3]);
  return true;
}

std::optional<GoType> GoTypes::type(std::uint64_t descriptor, Budget &budget) const {
  const auto header = memory_->header(descriptor);
  const auto padding = padding_of(*memory_, descriptor, budget.work);
  if (!header || !padding)
    return std::nullopt;
  GoType type{.name = name_of(*header, descriptor),
              .kind = std::to_underlying(header->kind),
              .size_bytes = header->size_bytes,
              .alignment = header->alignment,
              .padding_bytes = *padding};
  if (!budget.take_text(type.name) ||
      (header->kind == GoKind::structure && !add_fields(type, descriptor, *header, budget)))
    return std::nullopt;
  return type;
}

bool GoTypes::add_fields(GoType &type, std::uint64_t descriptor, const TypeHeader &header,
                         Budget &budget) const {
  const auto fields = memory_->fields(descriptor, header);
  if (!fields)
    return false;
  // Nobody reads so many; the padding is known without them.
  if (fields->size() > std::min(kFieldsOfTypeMax, budget.fields_left))
    return true;
  budget.fields_left -= fields->size();
  for (std::size_t i = 0; i < fields->size(); ++i) {
    const FieldEntry entry = (*fields)[i];
    const auto field = memory_->header(entry.type);
    const auto name = memory_->name_at(entry.name);
    if (!field || !name)
      return false;
    type.fields.push_back({.name = printable(*name),
                           .type_name = name_of(*field, entry.type),
                           .offset = entry.offset,
                           .size_bytes = field->size_bytes,
                           .alignment = field->field_alignment});
    if (!budget.take_text(type.fields.back().name) ||
        !budget.take_text(type.fields.back().type_name))
      return false;
  }
  return true;
}

// Of a type that reflect made, only reflect knows the name.
std::string GoTypes::name_of(const TypeHeader &header, std::uint64_t descriptor) const {
  auto name = memory_->type_name(header);
  return name.empty() ? fmt::format("type at {:#x}", descriptor) : name;
}

std::optional<std::vector<TypeLeaf>> GoTypes::leaves(ProcessAddress descriptor,
                                                     std::size_t count_max) const {
  TypeWork work;
  return leaves_of(*memory_, descriptor.value, count_max, work);
}

std::optional<std::vector<bool>> GoTypes::pointer_words(ProcessAddress descriptor) const {
  const auto header = memory_->header(descriptor.value);
  if (!header || header->size_bytes > kMaskedBytesMax)
    return std::nullopt;
  TypeWork work;
  const auto leaves =
      leaves_of(*memory_, descriptor.value, kMaskedBytesMax / sizeof(std::uint64_t), work);
  if (!leaves)
    return std::nullopt;
  const bool is_made = is_made_struct(descriptor.value);
  std::vector<bool> words(header->size_bytes / 8);
  std::uint64_t end = 0;
  for (const TypeLeaf &leaf : *leaves) {
    if (!leaf.has_pointers)
      continue;
    // The first word of an interface is a type or an itab, which is not in the heap:
    // cmd/compile/internal/types, setTypeBits. In structs of its own making, reflect sets it too.
    const std::uint64_t word = leaf.offset / 8 + (leaf.kind == GoKind::interface ? 1 : 0);
    if (leaf.offset % 8 != 0 || word >= words.size())
      return std::nullopt;
    words[word] = true;
    if (is_made)
      words[leaf.offset / 8] = true;
    end = std::max(end, 8 * (word + 1));
  }
  // The compiler's own count of the bytes up to the last pointer.
  return end == header->pointer_bytes ? std::optional{std::move(words)} : std::nullopt;
}

// Whether reflect made the type, a struct or an array of such: its bits of pointers come from
// reflect then (reflect/type.go, StructOf, addTypeBits), not from the compiler.
bool GoTypes::is_made_struct(std::uint64_t type) const {
  auto header = memory_->header(type);
  for (unsigned depth = 0; header && header->kind == GoKind::array && depth < 16; ++depth) {
    const auto array = memory_->array(type, *header);
    type = array ? array->element : 0;
    header = memory_->header(type);
  }
  return header && header->kind == GoKind::structure &&
         !contains(memory_->bytes(), memory_->start(), type);
}

// Reads bytes that are not known; false: they can't be read.
Result<bool> GoTypes::learn_bytes(AddressSpace &space, std::uint64_t address,
                                  std::uint64_t size_bytes) {
  if (memory_->at(address, size_bytes))
    return true;
  std::vector<std::byte> bytes(size_bytes);
  if (auto read = read_exactly(space, address, bytes); !read) {
    if (read.error().code() == Errc::not_found)
      return false;
    return std::unexpected(std::move(read).error());
  }
  memory_->add(address, std::move(bytes));
  return true;
}

// Of a struct that reflect made: its fields and their names lie in the heap, too.
Result<> GoTypes::learn_fields(AddressSpace &space, std::uint64_t descriptor,
                               std::vector<std::uint64_t> &types) {
  constexpr std::uint64_t kNameBytes = 64;         // longer ones are not known
  constexpr std::uint64_t kLearnedFieldsMax = 256; // each costs a read
  const auto start = memory_->word(descriptor + TypeFields::kStructFields);
  const auto count = memory_->word(descriptor + TypeFields::kStructFields + 8);
  if (!start || !count || *count > kLearnedFieldsMax ||
      !TRY(learn_bytes(space, *start, *count * TypeFields::kFieldBytes)))
    return {};
  const auto header = memory_->header(descriptor);
  const auto fields = header ? memory_->fields(descriptor, *header) : std::nullopt;
  for (std::size_t i = 0; fields && i < fields->size(); ++i) {
    const FieldEntry field = (*fields)[i];
    types.push_back(field.type);
    if (!memory_->name_at(field.name))
      (void)TRY(learn_bytes(space, field.name, kNameBytes));
  }
  return {};
}

Result<bool> GoTypes::learn(AddressSpace &space, ProcessAddress descriptor) {
  // A map type refers to three types, a group to arrays of structs of these.
  constexpr std::size_t kDescriptorsMax = 256;
  // The longest descriptor; a shorter one ends before.
  constexpr std::uint64_t kDescriptorBytes = 136;
  std::vector<std::uint64_t> pending{descriptor.value};
  for (std::size_t next = 0; next < pending.size() && next < kDescriptorsMax; ++next) {
    const std::uint64_t type = pending[next];
    if (contains(memory_->bytes(), memory_->start(), type) ||
        !TRY(learn_bytes(space, type, kDescriptorBytes)))
      continue;
    const auto header = memory_->header(type);
    if (!header)
      continue;
    auto follow = [&](std::uint64_t offset) {
      if (const auto word = memory_->word(type + offset))
        pending.push_back(*word);
    };
    if (header->kind == GoKind::map) {
      follow(TypeFields::kMapKey);
      follow(TypeFields::kMapElement);
      follow(TypeFields::kMapGroup);
    } else if (header->kind == GoKind::array) {
      follow(TypeFields::kElement);
    } else if (header->kind == GoKind::structure) {
      TRY(learn_fields(space, type, pending));
    }
  }
  return memory_->header(descriptor.value).has_value();
}

} // namespace mapscope
