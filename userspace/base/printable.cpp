// UTF-8 as RFC 3629 defines it, with the control characters left out.
#include "base/printable.h"

#include <cstddef>
#include <cstdint>

namespace mapscope {
namespace {

// The character at the front of `text`; length 0: those bytes are no UTF-8.
struct Character {
  std::uint32_t point = 0;
  std::size_t length = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80)
    return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length)
    return {};
  std::uint32_t point = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80)
      return {};
    point = point << 6 | (byte(i) & 0x3fU);
  }
  const bool is_overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool is_surrogate = point >= 0xd800 && point < 0xe000;
  if (is_overlong || is_surrogate || point > 0x10ffff)
    return {};
  return {point, length};
}

// Length of the printable character at the front of `text`; 0: there is none.
std::size_t printable_length(std::string_view text) {
  const auto [point, length] = first_character(text);
  const bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0); // C0, DEL, C1
  // Marks that reorder the text around them can make a name look like another.
  const bool is_reordering =
      (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
  return is_control || is_reordering ? 0 : length;
}

} // namespace

std::size_t utf8_length(std::string_view text) { return first_character(text).length; }

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = printable_length(text);
    if (length == 0)
      result += '?';
    else
      result += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

} // namespace mapscope
