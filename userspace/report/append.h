// Small pieces of a line, appended to one string: the hot path of every sink of events. What
// formats at run time costs several times as much.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace mapscope {

inline void append_number(std::uint64_t number, std::string &out) {
  fmt::format_int digits{number};
  out.append(digits.data(), digits.size());
}

// 0x and lower-case digits, without zeros in front.
inline void append_hex(std::uint64_t number, std::string &out) {
  std::array<char, 16> digits;
  std::size_t at = digits.size();
  do {
    digits[--at] = "0123456789abcdef"[number & 0xf];
    number >>= 4;
  } while (number != 0);
  out += "0x";
  out.append(digits.data() + at, digits.size() - at);
}

// Exactly `count` digits, with zeros in front: what stands behind a decimal point.
inline void append_decimals(std::uint64_t number, std::size_t count, std::string &out) {
  out.append(count, '0');
  for (std::size_t at = out.size(); number != 0 && count-- != 0; number /= 10)
    out[--at] = static_cast<char>('0' + number % 10);
}

inline void append_right(std::string_view text, std::size_t width, std::string &out) {
  if (text.size() < width)
    out.append(width - text.size(), ' ');
  out += text;
}

// Fills up to `width` columns behind `start`; a text that is longer is left whole.
inline void pad_to(std::size_t start, std::size_t width, std::string &out) {
  std::size_t length = out.size() - start;
  if (length < width)
    out.append(width - length, ' ');
}

inline void append_left(std::string_view text, std::size_t width, std::string &out) {
  std::size_t start = out.size();
  out += text;
  pad_to(start, width, out);
}

} // namespace mapscope
