// Compares shapes with what they may stand for, part by part: a wrong type would be worse than
// none.
#include "heap/owners/dictionary_types.h"

#include <algorithm>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/owners/type_claims.h"

namespace mapscope {
namespace {

constexpr std::string_view kShapeName = "go.shape.";
constexpr std::uint64_t kDictionaryWordsMax = 4096;
constexpr std::size_t kAnswersMax = 1 << 16;
constexpr unsigned kDepthMax = 16; // of types in types; those that lead back to themselves end here

} // namespace

std::string_view DictionaryTypes::name_of(std::uint64_t type) const {
  const TypeMemory &memory = types_.memory();
  const auto header = memory.header(type);
  if (!header || header->name <= 0)
    return {};
  auto name = memory.name_at(memory.start() + static_cast<std::uint64_t>(header->name));
  if (name && header->has_extra_star && name->starts_with('*'))
    name->remove_prefix(1);
  return name.value_or("");
}

// Whether values of `type` are what generic code sees as `shape`.
bool DictionaryTypes::stands_for(std::uint64_t shape, std::uint64_t type, unsigned depth) const {
  if (shape == type)
    return true;
  const std::string_view name = name_of(shape);
  const std::size_t at = name.find(kShapeName);
  // Types without a shape in them stand for themselves. What leads the shape is no part of it:
  // "map[go.shape.string]int", "main.Pair[go.shape.int]".
  if (at == name.npos || !name_of(type).starts_with(name.substr(0, at)))
    return false;
  const TypeMemory &memory = types_.memory();
  const auto a = memory.header(shape), b = memory.header(type);
  if (!a || !b || a->kind != b->kind || a->size_bytes != b->size_bytes ||
      a->pointer_bytes != b->pointer_bytes || names_shape(memory, type))
    return false;
  // All pointers have one shape.
  if (depth == kDepthMax || (at == 0 && a->kind == GoKind::pointer))
    return true;
  auto parts_agree = [&](std::uint64_t offset) {
    const auto one = memory.word(shape + offset), other = memory.word(type + offset);
    return one && other && stands_for(*one, *other, depth + 1);
  };
  switch (a->kind) {
  case GoKind::pointer:
  case GoKind::slice:
  case GoKind::channel:
  case GoKind::array:
    return parts_agree(TypeFields::kElement);
  case GoKind::map:
    return parts_agree(TypeFields::kMapKey) && parts_agree(TypeFields::kMapElement);
  case GoKind::structure: {
    const auto ones = memory.fields(shape, *a), others = memory.fields(type, *b);
    if (!ones || !others || ones->size() != others->size())
      return false;
    for (std::size_t i = 0; i < ones->size(); ++i) {
      const FieldEntry one = (*ones)[i], other = (*others)[i];
      if (one.offset != other.offset || memory.name_at(one.name) != memory.name_at(other.name) ||
          !stands_for(one.type, other.type, depth + 1))
        return false;
    }
    return true;
  }
  default:
    return true; // scalars, strings, funcs and interfaces: of one kind and size
  }
}

// Whether the groups or buckets of both are one to the collector.
bool DictionaryTypes::is_described_alike(std::uint64_t shape, std::uint64_t type) const {
  const TypeMemory &memory = types_.memory();
  const auto one = memory.word(shape + TypeFields::kMapGroup),
             other = memory.word(type + TypeFields::kMapGroup);
  if (!one || !other)
    return false;
  const auto a = memory.header(*one), b = memory.header(*other);
  return a && b && a->size_bytes == b->size_bytes && a->pointer_bytes == b->pointer_bytes &&
         types_.pointer_words({*one}) == types_.pointer_words({*other});
}

// The real map types of the program that the shape may stand for.
const std::vector<DictionaryTypes::RealMap> &DictionaryTypes::candidates(std::uint64_t shape) {
  if (const auto known = candidates_.find(shape); known != candidates_.end())
    return known->second;
  if (!real_maps_) {
    real_maps_.emplace();
    for (const MapTypeLayout &map : types_.map_types())
      if (!map.is_shape) {
        const std::uint64_t type = map.descriptor.value;
        real_maps_->push_back({type, types_.memory().word(type + TypeFields::kMapKey).value_or(0),
                               types_.memory().word(type + TypeFields::kMapElement).value_or(0)});
      }
  }
  std::vector<RealMap> fitting;
  for (const RealMap &map : *real_maps_)
    if (stands_for(shape, map.descriptor, 0) && is_described_alike(shape, map.descriptor))
      fitting.push_back(map);
  return candidates_.emplace(shape, std::move(fitting)).first->second;
}

// `listed`: the dictionary's words, sorted.
std::uint64_t DictionaryTypes::choose(std::span<const std::uint64_t> listed, std::uint64_t shape) {
  const TypeMemory &memory = types_.memory();
  const auto key = memory.word(shape + TypeFields::kMapKey),
             element = memory.word(shape + TypeFields::kMapElement);
  if (!key || !element)
    return 0;
  // A part that is no shape is known without being listed.
  auto is_named = [&](std::uint64_t part, std::uint64_t type) {
    return part == type || std::ranges::binary_search(listed, type);
  };
  // Key and element make up the type, unless it has a name of its own.
  const bool is_made_of_parts = name_of(shape).starts_with("map[");
  std::uint64_t found = 0;
  for (const RealMap &map : candidates(shape)) {
    const bool is_meant =
        std::ranges::binary_search(listed, map.descriptor) ||
        (is_made_of_parts && is_named(*key, map.key) && is_named(*element, map.element));
    if (is_meant && std::exchange(found, map.descriptor) != 0)
      return 0;
  }
  return found;
}

Result<std::uint64_t> DictionaryTypes::map_type(AddressSpace &space, std::uint64_t dictionary,
                                                std::uint64_t words, std::uint64_t shape) {
  if (words == 0 || words > kDictionaryWordsMax || !names_shape(types_.memory(), shape) ||
      !types_.map_type({shape}))
    return 0;
  const std::tuple question{dictionary, words, shape};
  if (const auto known = answers_.find(question); known != answers_.end())
    return known->second;
  std::vector<std::uint64_t> listed(words);
  MemoryRead read{{dictionary}, std::as_writable_bytes(std::span{listed})};
  TRY(space.read({&read, 1}));
  if (!read.is_read)
    return 0;
  std::ranges::sort(listed);
  const std::uint64_t found = choose(listed, shape);
  if (answers_.size() >= kAnswersMax)
    answers_.clear();
  answers_.emplace(question, found);
  return found;
}

} // namespace mapscope
