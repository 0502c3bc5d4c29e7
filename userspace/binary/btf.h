// The types that a BPF object carries (BTF, Documentation/bpf/btf.rst of the kernel), read from a
// file that may lie: every offset is checked, every walk has a limit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/error.h"

namespace mapscope {

// As the format numbers them.
enum class BtfKind : std::uint8_t {
  void_ = 0, // type 0; nothing else may say so
  integer,
  pointer,
  array,
  structure,
  union_,
  enumeration,
  forward,
  type_definition,
  volatile_,
  const_,
  restrict_,
  function,
  prototype,
  variable,
  data_section,
  floating,
  declaration_tag,
  type_tag,
  enumeration64,
};

struct BtfType {
  BtfKind kind = BtfKind::void_;
  std::string_view name;    // empty: it has none
  bool is_union = false;    // of a forward declaration
  std::uint32_t size = 0;   // of what has one by itself
  std::uint32_t target = 0; // the type that this one refers to; of arrays, that of the elements
  std::uint32_t element_count = 0; // of arrays
  std::uint32_t linkage = 0;       // of variables: 0 static, 1 global, 2 defined elsewhere
  std::int32_t component = -1;     // of declaration tags; -1: the declaration itself
  std::uint32_t member_count = 0;  // of structs, unions, data sections and enumerations
};

// A member of a struct or union; a variable of a data section, which has no name here.
struct BtfMember {
  std::string_view name;
  std::uint32_t type = 0;
};

class Btf {
public:
  // `section` (.BTF) must outlive the result. Errors: malformed, unsupported (a version or a kind
  // that this build does not know).
  static Result<Btf> parse(std::span<const std::byte> section);

  // Types are numbered from 0 (void) to below this.
  std::uint32_t type_count() const { return static_cast<std::uint32_t>(offsets_.size()); }

  // Errors: malformed (no such type, or a name outside of the strings).
  Result<BtfType> type(std::uint32_t id) const;
  Result<BtfMember> member(std::uint32_t id, std::uint32_t index) const;
  // An enumerator's value; what __ulong() of bpf_helpers.h hides a number in.
  Result<std::uint64_t> enumerator(std::uint32_t id, std::uint32_t index) const;

  // Without typedefs, qualifiers and type tags around it. Errors: malformed (a cycle).
  Result<std::uint32_t> resolve(std::uint32_t id) const;

  // sizeof. Errors: malformed (a cycle, more than 4 GiB, or what has no size).
  Result<std::uint64_t> size_of(std::uint32_t id) const;

  // As C writes it: "struct key", "__u32", "char[16]", "void *". Errors: malformed (a cycle).
  Result<std::string> c_name(std::uint32_t id) const;

private:
  Btf(ByteReader types, ByteReader strings) : types_(types), strings_(strings) {}

  Result<> index_types();
  Result<std::string_view> string(std::uint32_t offset) const;

  ByteReader types_, strings_;
  std::vector<std::uint32_t>
      offsets_; // of each type in types_; the first is void's and means nothing
};

} // namespace mapscope
