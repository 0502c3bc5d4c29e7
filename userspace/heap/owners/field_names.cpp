// Down structs and arrays to the word, with what is on the way.
#include "heap/owners/field_names.h"

#include <algorithm>

#include "base/printable.h"

namespace mapscope {
namespace {

constexpr unsigned kDepthMax = 64; // structs and arrays nest by value only
constexpr std::string_view kAny = "[]";

bool begins_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](auto prefix) { return text.starts_with(prefix); });
}

class Descent {
public:
  Descent(const GoTypes &types, bool with_indexes)
      : types_(types.memory()), with_indexes_(with_indexes) {}

  bool go(std::uint64_t type, std::uint64_t offset) {
    for (unsigned depth = 0; depth < kDepthMax; ++depth) {
      const auto header = types_.header(type);
      if (!header || offset >= header->size_bytes)
        return false;
      if (header->kind != GoKind::structure && header->kind != GoKind::array) {
        place.kind = header->kind;
        place.type = type;
        place.offset = offset;
        place.canonical += offset;
        return true;
      }
      if (header->kind == GoKind::structure ? !into_field(type, *header, offset)
                                            : !into_element(type, *header, offset))
        return false;
      type = next_;
      offset = offset_;
    }
    return false;
  }

  FieldPlace place;

private:
  // Where in a group or bucket of a map: fields of these are no fields of the program's.
  enum class Part { none, slots, slot, keys, elements, entry };

  bool into_field(std::uint64_t type, const TypeHeader &header, std::uint64_t offset) {
    const auto fields = types_.fields(type, header);
    if (!fields || fields->size() == 0)
      return false;
    // The last one that begins there or before: what has no size lies in front of what has.
    std::size_t first = 0, end = fields->size();
    while (end - first > 1) {
      const std::size_t middle = first + (end - first) / 2;
      ((*fields)[middle].offset <= offset ? first : end) = middle;
    }
    const FieldEntry field = (*fields)[first];
    if (field.offset > offset)
      return false;
    next_ = field.type;
    offset_ = offset - field.offset;
    place.canonical += field.offset;
    if (part_ == Part::none && is_group(*fields)) {
      into_group(name_of(field));
    } else if (part_ == Part::slot) {
      enter(first == 0);
    } else {
      place.path += '.';
      place.path += printable(name_of(field));
    }
    return true;
  }

  void into_group(std::string_view field) {
    part_ = field == "slots"   ? Part::slots
            : field == "keys"  ? Part::keys
            : field == "elems" ? Part::elements
                               : Part::entry;
    place.is_implementation = part_ == Part::entry; // control word, hash bytes, overflow
  }

  void enter(bool is_key) {
    part_ = Part::entry;
    place.is_key = is_key;
    place.path += is_key ? "[key]" : kAny;
  }

  bool into_element(std::uint64_t type, const TypeHeader &header, std::uint64_t offset) {
    const auto array = types_.array(type, header);
    if (!array || array->length == 0)
      return false;
    const std::uint64_t stride = header.size_bytes / array->length;
    if (stride == 0)
      return false;
    next_ = array->element;
    offset_ = offset % stride;
    if (part_ == Part::slots)
      part_ = Part::slot;
    else if (part_ == Part::keys || part_ == Part::elements)
      enter(part_ == Part::keys);
    else if (!place.is_implementation)
      place.path += with_indexes_ ? fmt::format("[{}]", offset / stride) : std::string{kAny};
    return true;
  }

  std::string_view name_of(const FieldEntry &field) const {
    return types_.name_at(field.name).value_or("?");
  }

  // Go source: cmd/compile/internal/reflectdata/map.go, MapGroupType, and reflect.go,
  // MapBucketType.
  bool is_group(const FieldEntries &fields) const {
    if (fields.size() < 2)
      return false;
    const std::string_view first = name_of(fields[0]), second = name_of(fields[1]);
    return (first == "ctrl" && (second == "slots" || second == "keys")) ||
           (first == "topbits" && second == "keys");
  }

  const TypeMemory &types_;
  bool with_indexes_;
  Part part_ = Part::none;
  std::uint64_t next_ = 0, offset_ = 0;
};

} // namespace

std::optional<FieldPlace> field_at(const GoTypes &types, std::uint64_t type, std::uint64_t offset,
                                   bool with_indexes) {
  Descent descent{types, with_indexes};
  if (!descent.go(type, offset))
    return std::nullopt;
  return std::move(descent.place);
}

std::uint64_t canonical_offset(const GoTypes &types, std::uint64_t type, std::uint64_t offset) {
  const auto place = field_at(types, type, offset);
  return place ? place->canonical : offset;
}

std::string type_name(const GoTypes &types, std::uint64_t type) {
  const auto header = type == 0 ? std::nullopt : types.memory().header(type);
  return header ? types.memory().type_name(*header) : std::string{};
}

bool is_named(std::string_view name) {
  return name.find('.') != std::string_view::npos &&
         !begins_with_any(name, {"*", "[", "map[", "map.", "noalg.", "func(", "struct {", "chan ",
                                 "<-chan", "interface {"});
}

std::string with_short_packages(std::string_view name) {
  std::string text;
  std::size_t word = 0; // where the path begins that is being copied
  for (char c : name) {
    if (c == '/') {
      text.resize(word);
      continue;
    }
    text += c;
    if (std::string_view{"[](){},*; \"<"}.contains(c))
      word = text.size();
  }
  return text;
}

std::string_view package_of(std::string_view name) {
  const std::size_t end = name.find_first_of(".:[( ");
  return end == std::string_view::npos ? std::string_view{} : name.substr(0, end);
}

} // namespace mapscope
