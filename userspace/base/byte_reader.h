// The one door for bytes we did not write: ELF files, pclntab, type descriptors, ring
// records, and memory copied out of another process. No other code does arithmetic on
// their offsets. Little endian, as both architectures that Go maps are read on.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace mapscope {

class ByteReader {
public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::size_t size() const { return rest_.size(); }
  std::span<const std::byte> bytes() const { return rest_; }

  // A window on [offset, offset + length). Written as a subtraction, because the
  // sum of two numbers from a hostile file can wrap and then look in bounds.
  Result<ByteReader> window(std::uint64_t offset, std::uint64_t length) const {
    if (offset > rest_.size() || length > rest_.size() - offset)
      return fail(Errc::malformed, "[{:#x}, +{:#x}) is outside {:#x} bytes", offset, length,
                  rest_.size());
    return ByteReader{rest_.subspan(offset, length)};
  }

  // Everything from `offset` on.
  Result<ByteReader> from(std::uint64_t offset) const {
    if (offset > rest_.size())
      return fail(Errc::malformed, "{:#x} is outside {:#x} bytes", offset, rest_.size());
    return ByteReader{rest_.subspan(offset)};
  }

  // Takes the next value off the front. Integers and plain structs without padding only.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  Result<T> read() {
    if (rest_.size() < sizeof(T))
      return fail(Errc::malformed, "{} bytes left, {} needed", rest_.size(), sizeof(T));
    T value; // copied out, since nothing promises that the bytes are aligned
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  Result<T> read_at(std::uint64_t offset) const {
    ByteReader there = TRY(window(offset, sizeof(T)));
    return there.read<T>();
  }

  // A NUL-terminated string at `offset`, without the NUL; at most `length_max` characters.
  Result<std::string_view> string_at(std::uint64_t offset, std::size_t length_max = 4096) const {
    ByteReader there = TRY(from(offset));
    auto limit = std::min(there.size(), length_max + 1);
    const auto *text = reinterpret_cast<const char *>(there.rest_.data());
    const void *nul = limit == 0 ? nullptr : std::memchr(text, 0, limit);
    if (nul == nullptr)
      return fail(Errc::malformed, "the string at {:#x} does not end within {} bytes", offset,
                  limit);
    return std::string_view{text, static_cast<const char *>(nul)};
  }

  // Unsigned LEB128, as Go's binary.PutUvarint writes it; takes it off the front.
  Result<std::uint64_t> read_uvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto byte = TRY(read<std::uint8_t>());
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0)
        return value;
    }
    return fail(Errc::malformed, "a variable-length integer does not end within 10 bytes");
  }

private:
  std::span<const std::byte> rest_;
};

} // namespace mapscope
