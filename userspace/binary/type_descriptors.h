// Type descriptors of one executable, for those who look at many of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "binary/go_binary.h"
#include "go/type_descriptor.h"

namespace mapscope {

struct DescriptorHeader {
  std::uint64_t size_bytes = 0, pointer_bytes = 0; // the latter: up to its last pointer
  GoKind kind = GoKind::invalid;
};

class TypeDescriptors {
public:
  // `binary` outlives it. Errors: as ElfFile::read_data, and malformed where the module data gives
  // types no place.
  static Result<TypeDescriptors> open(const GoBinary &binary);

  const ElfRange &range() const { return range_; }

  // Nothing where no descriptor can be: not every address that has something there is one's.
  std::optional<DescriptorHeader> read(ElfAddress descriptor) const;
  // As the program prints the type; empty: it has none that could be read.
  std::string_view name(ElfAddress descriptor) const;

private:
  explicit TypeDescriptors(ElfRange range) : range_(range) {}

  ElfRange range_;
  std::vector<std::byte> relocated_; // empty: nothing in the file has to be
  std::span<const std::byte> bytes_; // of the range
};

} // namespace mapscope
