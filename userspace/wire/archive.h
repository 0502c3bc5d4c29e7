// Numbers, texts and lists as bytes, and back with every one checked: the inside of the items of
// recordings and snapshots. One description of a struct's fields (exchange, see
// recording/fields.h) serves both directions.
//
// Whole numbers are unsigned LEB128, signed ones zigzag before it; a text or a list is its
// length and then its elements; what may be absent is a bool and then the value.
#pragma once

#include <array>
#include <bitset>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/printable.h"

namespace mapscope {

using Bytes = std::vector<std::byte>;

// How many values an enumeration has, from 0 on.
template <typename T> constexpr std::uint64_t enumerator_count = 0;

inline void append_uvarint(Bytes &out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

// T, or a T that is only looked at.
template <typename Maybe, typename T>
concept Like = std::same_as<std::remove_const_t<Maybe>, T>;

class FieldWriter {
public:
  explicit FieldWriter(Bytes &out) : out_(out) {}

  template <typename... T> void operator()(const T &...values) { (write(values), ...); }

private:
  template <std::unsigned_integral T> void write(const T &value) { append_uvarint(out_, value); }
  template <std::signed_integral T> void write(const T &value) {
    const auto wide = static_cast<std::int64_t>(value);
    append_uvarint(out_,
                   static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63));
  }
  template <typename T>
    requires std::is_enum_v<T>
  void write(const T &value) {
    append_uvarint(out_, static_cast<std::uint64_t>(value));
  }
  template <std::size_t Size> void write(const std::bitset<Size> &bits) {
    append_uvarint(out_, bits.to_ullong());
  }
  void write(const std::string &text) {
    append_uvarint(out_, text.size());
    const auto bytes = std::as_bytes(std::span{text});
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  template <typename T> void write(const std::optional<T> &value) {
    write(value.has_value());
    if (value)
      write(*value);
  }
  template <typename T> void write(const std::vector<T> &values) {
    append_uvarint(out_, values.size());
    for (const T &value : values)
      write(value);
  }
  template <typename T, std::size_t Size> void write(const std::array<T, Size> &values) {
    for (const T &value : values)
      write(value);
  }
  template <typename T>
    requires std::is_class_v<T>
  void write(const T &value) {
    exchange(*this, value);
  }

  Bytes &out_;
};

// Reads until something is wrong; what that was is told by finish(). What follows it stays as it
// was.
class FieldReader {
public:
  explicit FieldReader(ByteReader bytes) : rest_(bytes) {}

  template <typename... T> void operator()(T &...values) { (read(values), ...); }

  // What was not read yet.
  std::span<const std::byte> rest() const { return rest_.bytes(); }
  Result<> status() const { return status_; }

  // That everything could be read, and that nothing is left.
  Result<> finish() const {
    if (status_ && rest_.size() != 0)
      return fail(Errc::malformed, "{} bytes too many", rest_.size());
    return status_;
  }

private:
  static constexpr std::size_t kTextBytesMax = 64 << 10;

  template <typename... Args> void stop(fmt::format_string<Args...> format, Args &&...args) {
    if (status_)
      status_ = fail(Errc::malformed, format, std::forward<Args>(args)...);
  }

  std::uint64_t number() {
    if (!status_)
      return 0;
    auto value = rest_.read_uvarint();
    if (value)
      return *value;
    status_ = std::unexpected(std::move(value).error());
    return 0;
  }

  // Of elements that have a byte each at least, so that no length can ask for more memory than
  // the bytes that are there are worth.
  std::size_t length() {
    const std::uint64_t count = number();
    if (count <= rest_.size())
      return static_cast<std::size_t>(count);
    stop("{} elements in {} bytes", count, rest_.size());
    return 0;
  }

  std::uint64_t number_below(std::uint64_t limit) {
    const std::uint64_t value = number();
    if (value < limit)
      return value;
    stop("{} is too large, known are 0 to {}", value, limit - 1);
    return 0;
  }

  void read(bool &value) { value = number_below(2) != 0; }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void read(T &value) {
    const std::uint64_t wide = number();
    if (!std::in_range<T>(wide))
      return stop("{} is too large", wide);
    value = static_cast<T>(wide);
  }
  template <std::signed_integral T> void read(T &value) {
    const std::uint64_t zigzag = number();
    const auto wide = static_cast<std::int64_t>(zigzag >> 1 ^ (~(zigzag & 1) + 1));
    if (!std::in_range<T>(wide))
      return stop("{} is out of range", wide);
    value = static_cast<T>(wide);
  }
  template <typename T>
    requires std::is_enum_v<T>
  void read(T &value) {
    static_assert(enumerator_count<T> > 0);
    value = static_cast<T>(number_below(enumerator_count<T>));
  }
  template <std::size_t Size> void read(std::bitset<Size> &bits) {
    static_assert(Size < 64);
    bits = number_below(std::uint64_t{1} << Size);
  }
  // Comes out printable: who shows it need not know where it comes from.
  void read(std::string &text) {
    const std::size_t size_bytes = length();
    if (size_bytes > kTextBytesMax)
      return stop("a text of {} bytes", size_bytes);
    const auto bytes = rest_.bytes().first(size_bytes);
    text = printable({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    rest_ = ByteReader{rest_.bytes().subspan(size_bytes)};
  }
  template <typename T> void read(std::optional<T> &value) {
    bool is_present = false;
    read(is_present);
    value.reset();
    if (is_present)
      read(value.emplace());
  }
  template <typename T> void read(std::vector<T> &values) {
    values.clear();
    for (std::size_t left = length(); left > 0 && status_; --left)
      read(values.emplace_back());
  }
  template <typename T, std::size_t Size> void read(std::array<T, Size> &values) {
    for (T &value : values)
      read(value);
  }
  template <typename T>
    requires std::is_class_v<T>
  void read(T &value) {
    exchange(*this, value);
  }

  ByteReader rest_;
  Result<> status_;
};

} // namespace mapscope
