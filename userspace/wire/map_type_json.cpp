// Every field checked; names made printable.
#include "wire/map_type_json.h"

#include <cstdint>
#include <string>

#include "base/printable.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

Result<MapType> map_type_from_json(const Json &json) {
  const auto is_array_of = [&](auto... is_right) {
    std::size_t index = 0;
    return json.is_array() && json.size() == sizeof...(is_right) &&
           ((json[index++].*is_right)() && ...);
  };
  constexpr auto kText = &Json::is_string;
  constexpr auto kSize = &Json::is_number_unsigned;
  constexpr auto kFlag = &Json::is_boolean;
  if (!is_array_of(kText, kSize, kSize, kSize, kFlag, kFlag, kFlag))
    return fail(Errc::malformed, "not a map type");
  MapType type{.name = printable(json[0].get_ref<const std::string &>()),
               .key_bytes = json[1].get<std::uint64_t>(),
               .element_bytes = json[2].get<std::uint64_t>(),
               .group_bytes = json[3].get<std::uint64_t>(),
               .group_has_pointers = json[4].get<bool>(),
               .key_is_indirect = json[5].get<bool>(),
               .element_is_indirect = json[6].get<bool>()};
  if (!is_possible(type))
    return fail(Errc::malformed, "a map type that no program can have");
  return type;
}

} // namespace

bool is_possible(const MapType &type) {
  // Type strings of real programs have some hundred bytes.
  constexpr std::size_t kNameBytesMax = 4096;
  // No type can be larger: cmd/compile/internal/types, MaxWidth.
  constexpr std::uint64_t kTypeBytesMax = 1ULL << 50;
  // Eight entries of at most 128 bytes of key and 128 of element make 2 KiB; far above that, so
  // that no later Go release is refused.
  constexpr std::uint64_t kGroupBytesMax = 64 << 10;
  return !type.name.empty() && type.name.size() <= kNameBytesMax &&
         type.key_bytes <= kTypeBytesMax && type.element_bytes <= kTypeBytesMax &&
         type.group_bytes != 0 && type.group_bytes <= kGroupBytesMax;
}

Json map_types_to_json(std::span<const std::optional<MapType>> answers) {
  Json list = Json::array();
  for (const auto &type : answers)
    list.push_back(type ? Json::array({type->name, type->key_bytes, type->element_bytes,
                                       type->group_bytes, type->group_has_pointers,
                                       type->key_is_indirect, type->element_is_indirect})
                        : Json{});
  return list;
}

Result<std::vector<std::optional<MapType>>> map_types_from_json(const Json &json) {
  if (!json.is_array())
    return fail(Errc::malformed, "not a list of map types");
  std::vector<std::optional<MapType>> answers;
  for (const Json &element : json) {
    auto &answer = answers.emplace_back();
    if (!element.is_null())
      answer = TRY(map_type_from_json(element));
  }
  return answers;
}

} // namespace mapscope
