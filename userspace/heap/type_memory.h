// The bytes of type descriptors as they lie in a process, and their fields, each looked up within
// bounds. What the fields mean together is for go_types.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "go/type_descriptor.h"
#include "heap/bulk_read.h"

namespace mapscope {

// What every descriptor begins with.
struct TypeHeader {
  std::uint64_t size_bytes = 0;
  std::uint64_t pointer_bytes = 0; // up to its last pointer; 0: none
  std::uint64_t alignment = 1, field_alignment = 1;
  GoKind kind = GoKind::invalid;
  bool has_extra_star = false;
  bool is_regular_memory = false; // equal values have equal bytes
  bool is_direct_in_interface = false;
  bool is_comparable = false;
  std::int32_t name = 0; // offset from the start of the types
};

// A field of a struct, as its descriptor tells it.
struct FieldEntry {
  std::uint64_t name = 0; // address
  std::uint64_t type = 0; // address of its descriptor
  std::uint64_t offset = 0;
};

// The fields of a struct, not copied.
class FieldEntries {
public:
  FieldEntries(std::span<const std::byte> bytes, bool is_offset_shifted)
      : bytes_(bytes), is_offset_shifted_(is_offset_shifted) {}

  std::size_t size() const { return bytes_.size() / TypeFields::kFieldBytes; }
  FieldEntry operator[](std::size_t index) const {
    const auto entry =
        bytes_.subspan(index * TypeFields::kFieldBytes).first(TypeFields::kFieldBytes);
    return {.name = load<std::uint64_t>(entry, TypeFields::kFieldName),
            .type = load<std::uint64_t>(entry, TypeFields::kFieldType),
            .offset = load<std::uint64_t>(entry, TypeFields::kFieldOffset) >>
                      (is_offset_shifted_ ? 1 : 0)};
  }

private:
  std::span<const std::byte> bytes_;
  bool is_offset_shifted_;
};

class TypeMemory {
public:
  // Errors: unsupported (no such range, or too large), as AddressSpace::read.
  static Result<TypeMemory> read(AddressSpace &space, ProcessRange types, const BinaryFacts &facts);

  // `size_bytes` from `address` on; nothing where they are not all known.
  std::optional<std::span<const std::byte>> at(std::uint64_t address,
                                               std::uint64_t size_bytes) const;
  // As much as is known from `address` on, at most `size_bytes_max`.
  std::span<const std::byte> from(std::uint64_t address, std::uint64_t size_bytes_max) const;
  std::optional<std::uint64_t> word(std::uint64_t address) const;

  // Nothing where the bytes can be no descriptor.
  std::optional<TypeHeader> header(std::uint64_t type) const;
  // Of a type of that header; empty where it has none there, as types that reflect made.
  std::string type_name(const TypeHeader &header) const;
  // A name that a field refers to: flags, a length, the text.
  std::optional<std::string_view> name_at(std::uint64_t address) const;

  // Of a struct, in order and inside of it.
  std::optional<FieldEntries> fields(std::uint64_t type, const TypeHeader &header) const;
  struct Array {
    std::uint64_t element = 0; // descriptor
    std::uint64_t length = 0;
  };
  std::optional<Array> array(std::uint64_t type, const TypeHeader &header) const;
  // Of interfaces: whether it is the empty one, which holds a type instead of an itab.
  std::optional<bool> is_empty_interface(std::uint64_t type) const;

  // Remembers bytes outside of the range of types: descriptors that reflect made.
  void add(std::uint64_t address, std::vector<std::byte> bytes);

  std::span<const std::byte> bytes() const { return bytes_; }
  std::uint64_t start() const { return start_; }
  bool is_from(unsigned minor) const { return minor_ >= minor; }

private:
  TypeMemory() = default;

  std::uint64_t start_ = 0;
  unsigned minor_ = 0; // of Go 1
  std::vector<std::byte> bytes_;
  std::map<std::uint64_t, std::vector<std::byte>> others_; // by address
  std::uint64_t others_bytes_ = 0;
};

} // namespace mapscope
