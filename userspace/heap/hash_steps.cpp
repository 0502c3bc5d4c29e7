// Three walks of a type: as compilers until 1.26 do it, as that of 1.27, as the runtime.
#include "heap/hash_steps.h"

#include <algorithm>

#include "heap/type_leaves.h"

namespace mapscope {
namespace {

using Kind = HashStep::Kind;
using Steps = std::vector<HashStep>;

constexpr std::size_t kStepsMax = 4096;
constexpr std::uint64_t kValueBytesMax = 1 << 20;
constexpr unsigned kDepthMax = 64;

// What all walks share.
class Walk {
public:
  explicit Walk(const TypeMemory &types) : types_(types) {}
  std::optional<Steps> result(bool is_complete) {
    return is_complete ? std::optional{std::move(steps_)} : std::nullopt;
  }

protected:
  std::optional<TypeHeader> header(std::uint64_t type, unsigned depth) {
    auto header = types_.header(type);
    return header && work_.take() && depth <= kDepthMax && header->size_bytes <= kValueBytesMax
               ? header
               : std::nullopt;
  }

  bool add(Kind kind, std::uint64_t offset, std::uint64_t size_bytes) {
    if (steps_.size() == kStepsMax || offset > kValueBytesMax || size_bytes > kValueBytesMax)
      return false;
    steps_.push_back({.kind = kind,
                      .offset = static_cast<std::uint32_t>(offset),
                      .size_bytes = static_cast<std::uint32_t>(size_bytes)});
    return true;
  }

  // Memory of these sizes has functions of its own where it is all there is to hash.
  bool add_memory_or_word(std::uint64_t offset, std::uint64_t size_bytes) {
    return add(size_bytes == 4 || size_bytes == 8 ? Kind::word : Kind::memory, offset, size_bytes);
  }

  // Of kinds that are hashed alike by all; false for others.
  bool add_basic(std::uint64_t type, const TypeHeader &header, std::uint64_t offset) {
    switch (header.kind) {
    case GoKind::float32:
    case GoKind::float64:
      return add(Kind::float_, offset, header.size_bytes);
    case GoKind::complex64:
    case GoKind::complex128:
      return add(Kind::float_, offset, header.size_bytes / 2) &&
             add(Kind::float_, offset + header.size_bytes / 2, header.size_bytes / 2);
    case GoKind::string:
      return add(Kind::string, offset, header.size_bytes);
    case GoKind::interface: {
      const auto is_empty = types_.is_empty_interface(type);
      if (!is_empty || !add(Kind::interface, offset, header.size_bytes))
        return false;
      steps_.back().is_empty_interface = *is_empty;
      return true;
    }
    default:
      return false;
    }
  }

  static bool is_plain(GoKind kind) {
    return (kind >= GoKind::boolean && kind <= GoKind::uintptr) || kind == GoKind::pointer ||
           kind == GoKind::channel || kind == GoKind::unsafe_pointer;
  }

  bool is_blank(const FieldEntry &field) const {
    const auto name = types_.name_at(field.name);
    return name && *name == "_";
  }

  const TypeMemory &types_;
  TypeWork work_;
  Steps steps_;
};

// What types.AlgType tells apart.
enum class Algorithm { none, memory, basic, special };

struct Alike { // a type that is hashed as `type`: structs of one field, arrays of one element
  Algorithm algorithm = Algorithm::none;
  std::uint64_t type = 0;
};

class Until126 : public Walk {
public:
  using Walk::Walk;

  bool walk_key(std::uint64_t type) {
    const Alike alike = classify(type, 0);
    const auto size_bytes = header(type, 0);
    if (alike.algorithm != Algorithm::memory || !size_bytes)
      return walk(alike, 0, 0);
    return size_bytes->size_bytes == 0 || add_memory_or_word(0, size_bytes->size_bytes);
  }

private:
  Alike classify(std::uint64_t type, unsigned depth) {
    const auto own = header(type, depth);
    if (!own)
      return {};
    if (is_plain(own->kind))
      return {Algorithm::memory, type};
    if (own->kind == GoKind::array) {
      const auto array = types_.array(type, *own);
      const Alike element = array ? classify(array->element, depth + 1) : Alike{};
      if (element.algorithm == Algorithm::none)
        return {};
      if (element.algorithm == Algorithm::memory || array->length == 0)
        return {Algorithm::memory, type};
      return array->length == 1 ? element : Alike{Algorithm::special, type};
    }
    if (own->kind == GoKind::structure)
      return classify_struct(type, *own, depth);
    const bool has_none =
        own->kind == GoKind::function || own->kind == GoKind::map || own->kind == GoKind::slice;
    return has_none ? Alike{} : Alike{Algorithm::basic, type};
  }

  Alike classify_struct(std::uint64_t type, const TypeHeader &own, unsigned depth) {
    const auto fields = types_.fields(type, own);
    if (!fields)
      return {};
    if (fields->size() == 1 && !is_blank((*fields)[0]))
      return classify((*fields)[0].type, depth + 1);
    Alike result{Algorithm::memory, type};
    for (std::size_t i = 0; i < fields->size(); ++i) {
      const FieldEntry field = (*fields)[i];
      const Algorithm algorithm = classify(field.type, depth + 1).algorithm;
      if (algorithm == Algorithm::none)
        return {};
      if (algorithm != Algorithm::memory || is_blank(field) || is_padded(*fields, i, own))
        result.algorithm = Algorithm::special;
    }
    return result;
  }

  std::uint64_t end_of(const FieldEntry &field) const {
    const auto own = types_.header(field.type);
    return field.offset + (own ? own->size_bytes : 0);
  }

  bool is_padded(const FieldEntries &fields, std::size_t index, const TypeHeader &own) const {
    const std::uint64_t next =
        index + 1 < fields.size() ? fields[index + 1].offset : own.size_bytes;
    return end_of(fields[index]) != next;
  }

  bool walk(const Alike &alike, std::uint64_t offset, unsigned depth) {
    const auto own = header(alike.type, depth);
    if (!own)
      return false;
    if (alike.algorithm == Algorithm::basic)
      return add_basic(alike.type, *own, offset);
    if (alike.algorithm != Algorithm::special)
      return false;
    if (own->kind == GoKind::structure)
      return walk_struct(alike.type, *own, offset, depth);
    const auto array = types_.array(alike.type, *own);
    if (!array || array->length > kStepsMax)
      return false;
    const Alike element = classify(array->element, depth + 1);
    for (std::uint64_t i = 0; i < array->length; ++i)
      if (!walk(element, offset + i * (own->size_bytes / array->length), depth + 1))
        return false;
    return true;
  }

  bool walk_struct(std::uint64_t type, const TypeHeader &own, std::uint64_t offset,
                   unsigned depth) {
    const auto fields = types_.fields(type, own);
    if (!fields)
      return false;
    for (std::size_t i = 0; i < fields->size();) {
      const FieldEntry field = (*fields)[i];
      if (is_blank(field)) {
        ++i;
        continue;
      }
      const Alike alike = classify(field.type, depth + 1);
      if (alike.algorithm != Algorithm::memory) {
        if (!walk(alike, offset + field.offset, depth + 1))
          return false;
        ++i;
        continue;
      }
      // compare.Memrun: fields of plain memory with nothing in between. Of these, memhash.
      std::size_t next = i + 1;
      while (next < fields->size() && !is_padded(*fields, next - 1, own) &&
             !is_blank((*fields)[next]) &&
             classify((*fields)[next].type, depth + 1).algorithm == Algorithm::memory)
        ++next;
      const std::uint64_t end = end_of((*fields)[next - 1]);
      if (end < field.offset || !add(Kind::memory, offset + field.offset, end - field.offset))
        return false;
      i = next;
    }
    return true;
  }
};

// Flattens nested structs first, so that memory of neighbours is hashed together:
// reflectdata.eqSignature.
class From127 : public Walk {
public:
  using Walk::Walk;

  bool walk_key(std::uint64_t type) {
    const bool is_complete = walk(type, 0, 0) && flush();
    return is_complete;
  }

private:
  bool flush() {
    const std::uint64_t size_bytes = memory_end_ - memory_start_;
    const std::uint64_t start = memory_start_;
    memory_start_ = memory_end_ = 0;
    return size_bytes == 0 || add_memory_or_word(start, size_bytes);
  }

  bool add_memory(std::uint64_t offset, std::uint64_t size_bytes) {
    if (size_bytes == 0)
      return true;
    if (memory_end_ != offset || memory_end_ == memory_start_) {
      if (!flush())
        return false;
      memory_start_ = offset;
    }
    memory_end_ = offset + size_bytes;
    return true;
  }

  bool walk(std::uint64_t type, std::uint64_t offset, unsigned depth) {
    const auto own = header(type, depth);
    if (!own)
      return false;
    if (is_plain(own->kind))
      return add_memory(offset, own->size_bytes);
    if (own->kind == GoKind::structure) {
      const auto fields = types_.fields(type, *own);
      if (!fields)
        return false;
      for (std::size_t i = 0; i < fields->size(); ++i)
        if (const FieldEntry field = (*fields)[i];
            !is_blank(field) && !walk(field.type, offset + field.offset, depth + 1))
          return false;
      return true;
    }
    if (own->kind == GoKind::array)
      return walk_array(type, *own, offset, depth);
    return flush() && add_basic(type, *own, offset);
  }

  bool walk_array(std::uint64_t type, const TypeHeader &own, std::uint64_t offset, unsigned depth) {
    const auto array = types_.array(type, own);
    if (!array)
      return false;
    if (is_memory(type, depth))
      return add_memory(offset, own.size_bytes);
    if (own.size_bytes == 0)
      return true;
    if (array->length > kStepsMax)
      return false;
    const std::uint64_t stride = own.size_bytes / array->length;
    // The compiler writes a loop over as many elements as have some 32 bytes, those that are left
    // over in front of it. Memory is hashed together within a round of the loop, and no further.
    const std::uint64_t unroll = array->length == 1 ? 1 : std::max<std::uint64_t>(1, 32 / stride);
    const std::uint64_t in_front = array->length % unroll;
    const bool has_loop = array->length - in_front > unroll;
    for (std::uint64_t i = 0; i < array->length; ++i) {
      if (has_loop && i >= in_front && (i - in_front) % unroll == 0 && !flush())
        return false;
      if (!walk(array->element, offset + i * stride, depth + 1))
        return false;
    }
    return !has_loop || flush();
  }

  // types.AlgType: whether it is AMEM.
  bool is_memory(std::uint64_t type, unsigned depth) {
    const auto own = header(type, depth);
    if (!own)
      return false;
    if (own->kind == GoKind::array) {
      const auto array = types_.array(type, *own);
      return array && (array->length == 0 || is_memory(array->element, depth + 1));
    }
    if (own->kind != GoKind::structure)
      return is_plain(own->kind);
    const auto fields = types_.fields(type, *own);
    if (!fields)
      return false;
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < fields->size(); ++i) {
      const FieldEntry field = (*fields)[i];
      const auto field_header = types_.header(field.type);
      if (!field_header || field.offset != end || is_blank(field) ||
          !is_memory(field.type, depth + 1))
        return false;
      end = field.offset + field_header->size_bytes;
    }
    return end == own->size_bytes;
  }

  std::uint64_t memory_start_ = 0, memory_end_ = 0; // not yet a step
};

class Runtime : public Walk {
public:
  using Walk::Walk;

  bool walk(std::uint64_t type, std::uint64_t offset, unsigned depth) {
    const auto own = header(type, depth);
    if (!own)
      return false;
    if (own->is_regular_memory)
      return add_memory_or_word(offset, own->size_bytes);
    if (own->kind == GoKind::array) {
      const auto array = types_.array(type, *own);
      if (!array || array->length > kStepsMax)
        return false;
      for (std::uint64_t i = 0; i < array->length; ++i)
        if (!walk(array->element, offset + i * (own->size_bytes / array->length), depth + 1))
          return false;
      return true;
    }
    if (own->kind != GoKind::structure)
      return add_basic(type, *own, offset);
    const auto fields = types_.fields(type, *own);
    if (!fields)
      return false;
    for (std::size_t i = 0; i < fields->size(); ++i)
      if (const FieldEntry field = (*fields)[i];
          !is_blank(field) && !walk(field.type, offset + field.offset, depth + 1))
        return false;
    return true;
  }
};

} // namespace

std::optional<Steps> compiled_hash(const TypeMemory &types, std::uint64_t type) {
  if (types.is_from(27)) {
    From127 walk{types};
    return walk.result(walk.walk_key(type));
  }
  Until126 walk{types};
  return walk.result(walk.walk_key(type));
}

std::optional<Steps> runtime_hash(const TypeMemory &types, std::uint64_t type) {
  Runtime walk{types};
  return walk.result(walk.walk(type, 0, 0));
}

} // namespace mapscope
