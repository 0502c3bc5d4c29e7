// One walk down structs and arrays, which nest by value only, so that it ends.
#include "heap/type_leaves.h"

#include <utility>

namespace mapscope {
namespace {

constexpr unsigned kDepthMax = 64;

class LeafWalk {
public:
  LeafWalk(const TypeMemory &types, std::size_t count_max, TypeWork &work)
      : types_(types), count_max_(count_max), work_(work) {}

  bool walk(std::uint64_t type, std::uint64_t offset, unsigned depth) {
    const auto header = types_.header(type);
    if (!header || depth > kDepthMax || !work_.take())
      return false;
    // Never looked into by the collector, and most of all types.
    if (header->pointer_bytes == 0 && header->kind != GoKind::pointer)
      return true;
    switch (header->kind) {
    case GoKind::structure:
      return walk_struct(type, *header, offset, depth);
    case GoKind::array:
      return walk_array(type, *header, offset, depth);
    case GoKind::pointer:
    case GoKind::slice:
    case GoKind::channel:
      return add(offset, *header, types_.word(type + TypeFields::kElement));
    case GoKind::map:
      return add(offset, *header, type);
    case GoKind::string:
    case GoKind::interface:
    case GoKind::function:
    case GoKind::unsafe_pointer:
      if (const auto is_empty = types_.is_empty_interface(type);
          header->kind == GoKind::interface && is_empty)
        is_empty_interface_ = *is_empty;
      return add(offset, *header, 0);
    default:
      return false; // scalars have no pointers
    }
  }

  std::vector<TypeLeaf> leaves;

private:
  bool walk_struct(std::uint64_t type, const TypeHeader &header, std::uint64_t offset,
                   unsigned depth) {
    const auto fields = types_.fields(type, header);
    if (!fields)
      return false;
    for (std::size_t i = 0; i < fields->size(); ++i) {
      const FieldEntry field = (*fields)[i];
      if (field.offset > header.size_bytes || !work_.take() ||
          !walk(field.type, offset + field.offset, depth + 1))
        return false;
    }
    return true;
  }

  bool walk_array(std::uint64_t type, const TypeHeader &header, std::uint64_t offset,
                  unsigned depth) {
    const auto array = types_.array(type, header);
    if (!array || array->length == 0)
      return array.has_value();
    const std::uint64_t stride = header.size_bytes / array->length;
    const std::size_t first = leaves.size();
    if (!walk(array->element, offset, depth + 1))
      return false;
    // The other elements are as the first.
    const std::size_t count = leaves.size() - first;
    if (count == 0)
      return true;
    if (array->length > count_max_ || count * array->length > count_max_ - first)
      return false;
    for (std::uint64_t i = 1; i < array->length; ++i)
      for (std::size_t j = 0; j < count; ++j) {
        TypeLeaf leaf = leaves[first + j];
        leaf.offset += i * stride;
        leaves.push_back(leaf);
      }
    return true;
  }

  bool add(std::uint64_t offset, const TypeHeader &header, std::optional<std::uint64_t> element) {
    if (!element || leaves.size() == count_max_)
      return false;
    leaves.push_back({.offset = offset,
                      .kind = header.kind,
                      .is_empty_interface = is_empty_interface_,
                      .has_pointers = header.pointer_bytes != 0,
                      .element = *element});
    is_empty_interface_ = false;
    return true;
  }

  const TypeMemory &types_;
  std::size_t count_max_;
  TypeWork &work_;
  bool is_empty_interface_ = false;
};

std::optional<std::uint64_t> payload(const TypeMemory &types, std::uint64_t type, TypeWork &work,
                                     unsigned depth) {
  const auto header = types.header(type);
  if (!header || depth > kDepthMax || !work.take())
    return std::nullopt;
  if (header->kind == GoKind::array) {
    const auto array = types.array(type, *header);
    if (!array)
      return std::nullopt;
    if (header->size_bytes == 0)
      return 0;
    const auto element = payload(types, array->element, work, depth + 1);
    return element ? std::optional{array->length * *element} : std::nullopt;
  }
  if (header->kind != GoKind::structure)
    return header->size_bytes;
  const auto fields = types.fields(type, *header);
  if (!fields)
    return std::nullopt;
  std::uint64_t bytes = 0, end = 0;
  for (std::size_t i = 0; i < fields->size(); ++i) {
    const FieldEntry field = (*fields)[i];
    const auto field_header = types.header(field.type);
    // Fields lie one behind the other; then what they hold is no more than the struct.
    if (!field_header || field.offset < end || field.offset > header->size_bytes ||
        field_header->size_bytes > header->size_bytes - field.offset)
      return std::nullopt;
    end = field.offset + field_header->size_bytes;
    const auto held = payload(types, field.type, work, depth + 1);
    if (!held)
      return std::nullopt;
    bytes += *held;
  }
  return bytes;
}

} // namespace

std::optional<std::vector<TypeLeaf>> leaves_of(const TypeMemory &types, std::uint64_t type,
                                               std::size_t count_max, TypeWork &work) {
  LeafWalk walk{types, count_max, work};
  if (!walk.walk(type, 0, 0))
    return std::nullopt;
  return std::move(walk.leaves);
}

std::optional<std::uint64_t> padding_of(const TypeMemory &types, std::uint64_t type,
                                        TypeWork &work) {
  const auto header = types.header(type);
  const auto held = payload(types, type, work, 0);
  // An array multiplies what its element holds, which is no more than the element is.
  return header && held && *held <= header->size_bytes ? std::optional{header->size_bytes - *held}
                                                       : std::nullopt;
}

} // namespace mapscope
