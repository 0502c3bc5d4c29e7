// Type descriptors made by hand, in a memory that holds nothing else: what a program's types look
// like, and what no compiler would make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "go/type_descriptor.h"

namespace mapscope::testing {

// Some bytes at an address, and nothing beside them.
class FlatMemory final : public AddressSpace {
public:
  FlatMemory(std::uint64_t start, std::vector<std::byte> bytes)
      : start_(start), bytes_(std::move(bytes)) {}

  Result<> read(std::span<MemoryRead> reads) override {
    for (MemoryRead &read : reads) {
      const std::uint64_t offset = read.address.value - start_;
      read.is_read = offset <= bytes_.size() && read.into.size() <= bytes_.size() - offset;
      if (read.is_read && !read.into.empty())
        std::memcpy(read.into.data(), bytes_.data() + offset, read.into.size());
    }
    return {};
  }
  Result<std::vector<Mapping>> mappings() override { return std::vector<Mapping>{}; }

  ProcessRange range() const { return {{start_}, bytes_.size()}; }

private:
  std::uint64_t start_;
  std::vector<std::byte> bytes_;
};

inline BinaryFacts facts_with_maps(MapImplementation maps, unsigned minor) {
  BinaryFacts facts;
  facts.map_implementation = maps;
  facts.version = {1, minor, 0};
  return facts;
}

// Descriptors one behind the other, from kStart on.
class SyntheticTypes {
public:
  static constexpr std::uint64_t kStart = 0x10000;

  struct Type {
    GoKind kind = GoKind::invalid;
    std::uint64_t size_bytes = 0, pointer_bytes = 0;
    unsigned alignment = 8;
    std::string_view name;
  };
  struct Field {
    std::string_view name;
    std::uint64_t type = 0, offset = 0;
  };

  SyntheticTypes() { put<std::uint64_t>(0); } // an offset of 0 is no name

  std::uint64_t text(std::string_view text) {
    const std::uint64_t address = end();
    put<std::uint8_t>(1); // exported
    put(static_cast<std::uint8_t>(text.size()));
    for (char letter : text)
      put(letter);
    return address;
  }

  // The part of all types; what a kind adds is put behind it.
  std::uint64_t add(const Type &type) {
    const std::uint64_t name = text(type.name);
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const std::uint64_t address = end();
    bytes_.resize(bytes_.size() + TypeFields::kBytes);
    set(address + TypeFields::kSize, type.size_bytes);
    set(address + TypeFields::kPointerBytes, type.pointer_bytes);
    set(address + TypeFields::kAlignment, static_cast<std::uint8_t>(type.alignment));
    set(address + TypeFields::kFieldAlignment, static_cast<std::uint8_t>(type.alignment));
    set(address + TypeFields::kKind, static_cast<std::uint8_t>(type.kind));
    set<std::uint64_t>(address + TypeFields::kEqual, 1);
    set(address + TypeFields::kName, static_cast<std::int32_t>(name - kStart));
    return address;
  }

  std::uint64_t add_array(const Type &type, std::uint64_t element, std::uint64_t length) {
    const std::uint64_t address = add(type);
    put(element);
    put<std::uint64_t>(0); // of a slice
    put(length);
    return address;
  }

  std::uint64_t add_struct(const Type &type, const std::vector<Field> &fields) {
    std::vector<std::uint64_t> names;
    for (const Field &field : fields)
      names.push_back(text(field.name));
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const std::uint64_t entries = end();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      put(names[i]);
      put(fields[i].type);
      put(fields[i].offset);
    }
    const std::uint64_t address = add(type);
    put<std::uint64_t>(0); // package path
    put(entries);
    put<std::uint64_t>(fields.size());
    put<std::uint64_t>(fields.size());
    return address;
  }

  std::uint64_t add_interface(std::string_view name, std::uint64_t method_count) {
    const std::uint64_t address =
        add({.kind = GoKind::interface, .size_bytes = 16, .pointer_bytes = 16, .name = name});
    put<std::uint64_t>(0); // package path
    put<std::uint64_t>(0); // methods
    put(method_count);
    put(method_count);
    return address;
  }

  // Until 1.26, 1.27, and classic.
  enum class Shape { pairs, strides, buckets };

  // Pairs of key and element; buckets have all keys in front of the elements.
  std::uint64_t add_map(std::string_view name, std::uint64_t key, std::uint64_t element,
                        std::uint64_t slot_bytes, std::uint64_t element_in_slot,
                        Shape shape = Shape::pairs) {
    const std::uint64_t group_bytes = 8 + 8 * slot_bytes + (shape == Shape::buckets ? 8 : 0);
    const std::uint64_t group =
        add_struct({.kind = GoKind::structure, .size_bytes = group_bytes, .name = "group"}, {});
    const std::uint64_t address =
        add({.kind = GoKind::map, .size_bytes = 8, .pointer_bytes = 8, .name = name});
    for (std::uint64_t word : {key, element, group, std::uint64_t{0}})
      put(word);
    if (shape == Shape::buckets) {
      put(static_cast<std::uint8_t>(element_in_slot));
      put(static_cast<std::uint8_t>(slot_bytes - element_in_slot));
      put(static_cast<std::uint16_t>(group_bytes));
      put<std::uint32_t>(0);
      return address;
    }
    put(group_bytes);
    if (shape == Shape::strides)
      for (std::uint64_t word : {std::uint64_t{8}, slot_bytes, 8 + element_in_slot})
        put(word);
    for (std::uint64_t word : {slot_bytes, element_in_slot, std::uint64_t{0}})
      put(word);
    return address;
  }

  template <typename T> void set(std::uint64_t address, T value) {
    std::memcpy(bytes_.data() + (address - kStart), &value, sizeof value);
  }
  template <typename T> void put(T value) {
    bytes_.resize(bytes_.size() + sizeof value);
    set(end() - sizeof value, value);
  }

  std::uint64_t end() const { return kStart + bytes_.size(); }
  const std::vector<std::byte> &bytes() const { return bytes_; }

private:
  std::vector<std::byte> bytes_;
};

// Map types with keys of every way to hash: a string, an integer, a struct with padding, an array
// of structs, an interface.
inline SyntheticTypes
synthetic_map_types(SyntheticTypes::Shape shape = SyntheticTypes::Shape::pairs) {
  SyntheticTypes types;
  const auto int8 =
      types.add({.kind = GoKind::int8, .size_bytes = 1, .alignment = 1, .name = "int8"});
  const auto int64 = types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
  const auto float64 = types.add({.kind = GoKind::float64, .size_bytes = 8, .name = "float64"});
  const auto string =
      types.add({.kind = GoKind::string, .size_bytes = 16, .pointer_bytes = 8, .name = "string"});
  const auto any = types.add_interface("interface {}", 0);
  const auto stringer = types.add_interface("fmt.Stringer", 1);
  const auto entry = types.add_struct(
      {.kind = GoKind::structure, .size_bytes = 48, .pointer_bytes = 24, .name = "main.Entry"},
      {{"Kind", int8, 0},
       {"Count", int64, 8},
       {"Name", string, 16},
       {"_", int8, 32},
       {"Rate", float64, 40}});
  const auto pair = types.add_array(
      {.kind = GoKind::array, .size_bytes = 32, .pointer_bytes = 24, .name = "[2]string"}, string,
      2);
  types.add_map("map[string]int64", string, int64, 24, 16, shape);
  types.add_map("map[int64]int8", int64, int8, 16, 8, shape);
  types.add_map("map[[2]string]int64", pair, int64, 40, 32, shape);
  types.add_map("map[interface {}]string", any, string, 32, 16, shape);
  types.add_map("map[fmt.Stringer]int8", stringer, int8, 24, 16, shape);
  types.add_map("map[float64]main.Entry", float64, entry, 56, 8, shape);
  return types;
}

} // namespace mapscope::testing
