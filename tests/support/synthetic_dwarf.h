// The DWARF of a small Go program, put together by hand: main.store, a pointer to a struct of two
// such pointers, and main.all, an array of three such structs. For tests, and as a seed for
// fuzzing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <dwarf.h>

namespace mapscope {

class SyntheticDwarf {
public:
  // Where a type's descriptor is said to be, from the start of all types.
  std::uint64_t descriptor = 0;
  std::uint64_t address = 0x400000; // of main.store; main.all follows
  bool is_circle = false;           // the struct has itself as a member, not a pointer to itself

  static std::vector<std::byte> abbreviations();
  std::vector<std::byte> information();

private:
  enum Code : std::uint8_t { kEnd, kUnit, kVariable, kPointer, kStructure, kMember, kArray };

  template <typename T> void put(T value) {
    const auto *first = reinterpret_cast<const std::byte *>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(value));
  }
  void put(Code code, std::string_view name) {
    put(static_cast<std::uint8_t>(code));
    for (const char letter : name)
      put(letter);
    put('\0');
  }
  void put_variable(std::string_view name, std::uint64_t at, std::uint32_t type) {
    put(kVariable, name);
    put<std::uint8_t>(1 + sizeof(at));
    put<std::uint8_t>(DW_OP_addr);
    put(at);
    put(type);
  }

  std::vector<std::byte> bytes_;
};

inline std::vector<std::byte> SyntheticDwarf::abbreviations() {
  // Go's attributes 0x2900 and 0x2904, of two bytes each.
  constexpr std::uint8_t kGo[] = {0x80, 0x52, DW_FORM_data1, 0x84, 0x52, DW_FORM_addr};
  std::vector<std::uint8_t> bytes;
  const auto add = [&](Code code, std::uint8_t tag, bool has_children,
                       std::vector<std::uint8_t> attributes, bool is_go_type = false) {
    for (const std::uint8_t byte :
         {static_cast<std::uint8_t>(code), tag, static_cast<std::uint8_t>(has_children),
          static_cast<std::uint8_t>(DW_AT_name), static_cast<std::uint8_t>(DW_FORM_string)})
      bytes.push_back(byte);
    bytes.insert(bytes.end(), attributes.begin(), attributes.end());
    if (is_go_type)
      bytes.insert(bytes.end(), std::begin(kGo), std::end(kGo));
    bytes.insert(bytes.end(), {0, 0});
  };
  add(kUnit, DW_TAG_compile_unit, true, {DW_AT_language, DW_FORM_data1});
  add(kVariable, DW_TAG_variable, false,
      {DW_AT_location, DW_FORM_block1, DW_AT_type, DW_FORM_ref4});
  add(kPointer, DW_TAG_pointer_type, false, {DW_AT_type, DW_FORM_ref4}, true);
  add(kStructure, DW_TAG_structure_type, true, {DW_AT_byte_size, DW_FORM_udata}, true);
  add(kMember, DW_TAG_member, false,
      {DW_AT_data_member_location, DW_FORM_udata, DW_AT_type, DW_FORM_ref4});
  add(kArray, DW_TAG_array_type, false, {DW_AT_byte_size, DW_FORM_udata, DW_AT_type, DW_FORM_ref4},
      true);
  bytes.push_back(0);
  const auto *first = reinterpret_cast<const std::byte *>(bytes.data());
  return {first, first + bytes.size()};
}

inline std::vector<std::byte> SyntheticDwarf::information() {
  constexpr std::uint8_t kArrayKind = 17, kPointerKind = 22, kStructKind = 25;
  bytes_.clear();
  put<std::uint32_t>(0); // the length, below
  put<std::uint16_t>(4);
  put<std::uint32_t>(0); // abbreviations
  put<std::uint8_t>(8);
  put(kUnit, "main");
  put<std::uint8_t>(DW_LANG_Go);

  const auto structure = static_cast<std::uint32_t>(bytes_.size());
  put(kStructure, "main.cache");
  put<std::uint8_t>(16);
  put(kStructKind);
  put(descriptor);
  const auto pointer_of = [&](std::string_view name) { // behind the members
    return static_cast<std::uint32_t>(bytes_.size() + 2 * (1 + name.size() + 1 + 1 + 4) + 1);
  };
  const std::uint32_t pointer = pointer_of("next");
  for (const auto offset : {std::uint8_t{0}, std::uint8_t{8}}) {
    put(kMember, "next");
    put(offset);
    put(is_circle ? structure : pointer);
  }
  put(static_cast<std::uint8_t>(kEnd));
  put(kPointer, "*main.cache");
  put(structure);
  put(kPointerKind);
  put(descriptor);
  const auto array = static_cast<std::uint32_t>(bytes_.size());
  put(kArray, "[3]main.cache");
  put<std::uint8_t>(48);
  put(structure);
  put(kArrayKind);
  put<std::uint64_t>(0);
  put_variable("main.store", address, pointer);
  put_variable("main.all", address + 8, array);
  put(static_cast<std::uint8_t>(kEnd));
  const auto length = static_cast<std::uint32_t>(bytes_.size() - sizeof(std::uint32_t));
  for (std::size_t i = 0; i < sizeof(length); ++i)
    bytes_[i] = static_cast<std::byte>(length >> 8 * i);
  return bytes_;
}

} // namespace mapscope
