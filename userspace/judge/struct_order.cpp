// Large alignment first: then no field needs padding in front of it, since a size is a multiple
// of its alignment.
#include "judge/struct_order.h"

#include <algorithm>
#include <tuple>

namespace mapscope {

namespace {

std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
  return alignment < 2 ? offset : (offset + alignment - 1) / alignment * alignment;
}

} // namespace

std::vector<StructHole> struct_holes(const GoType &type) {
  std::vector<StructHole> holes;
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const GoField &field = type.fields[i];
    std::uint64_t end = field.offset + field.size_bytes;
    std::uint64_t next = i + 1 < type.fields.size() ? type.fields[i + 1].offset : type.size_bytes;
    if (end < field.offset || next <= end)
      continue;
    holes.push_back({.behind = field.name, .bytes = next - end});
    found += next - end;
  }
  if (type.padding_bytes > found)
    holes.push_back({.bytes = type.padding_bytes - found});
  return holes;
}

std::optional<StructOrder> better_struct_order(const GoType &type) {
  auto is_blank = [](const GoField &field) { return field.name == "_"; };
  if (type.fields.size() < 2 || std::ranges::any_of(type.fields, is_blank))
    return std::nullopt;
  StructOrder order{.fields = type.fields};
  // Fields without a size come first: behind the others, Go pads them so that their address
  // stays inside the struct (cmd/compile/internal/types/size.go, CalcStructSize).
  std::ranges::stable_sort(order.fields, [](const GoField &one, const GoField &other) {
    return std::tuple(one.size_bytes != 0, other.alignment, other.size_bytes) <
           std::tuple(other.size_bytes != 0, one.alignment, one.size_bytes);
  });
  std::uint64_t end = 0, alignment = 1;
  for (GoField &field : order.fields) {
    if (field.size_bytes > type.size_bytes || field.alignment > type.size_bytes)
      return std::nullopt; // says something absurd
    field.offset = aligned(end, field.alignment);
    end = field.offset + field.size_bytes;
    alignment = std::max(alignment, field.alignment);
  }
  order.size_bytes = aligned(end, alignment);
  if (order.size_bytes >= type.size_bytes)
    return std::nullopt;
  order.saved_bytes = type.size_bytes - order.size_bytes;
  return order;
}

} // namespace mapscope
