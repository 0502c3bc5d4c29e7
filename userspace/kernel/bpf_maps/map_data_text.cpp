// Hex, numbers, cut lines; see map_data_text.h.
#include "kernel/bpf_maps/map_data_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "base/printable.h"

namespace mapscope {
namespace {

bool is_ascii(std::byte byte) { return byte >= std::byte{0x20} && byte < std::byte{0x7f}; }

// The end of the quoted letter that begins at `begin`: 'a', '\n', '\x41', '"'.
std::size_t end_of_letter(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  if (end < text.size() && text[end] == '\\')
    ++end;
  end = text.find('\'', std::min(end + 1, text.size()));
  return end == std::string_view::npos ? text.size() : end + 1;
}

std::size_t end_of_brackets(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : 0;
    if (text[i] == ')' && --depth == 0)
      return i + 1;
  }
  return text.size();
}

// `['m','a','p',]` as `"map"`; empty: it is no such list.
std::string string_of_letters(std::string_view text, std::size_t &end) {
  std::string letters = "\"";
  std::size_t at = end + 1; // behind the bracket
  while (at < text.size() && text[at] == '\'') {
    const std::size_t behind = end_of_letter(text, at);
    if (behind < at + 3)
      return {};
    const std::string_view letter = text.substr(at + 1, behind - at - 2);
    letters += letter == "\"" ? std::string_view{"\\\""} : letter;
    at = behind;
    if (at < text.size() && text[at] == ',')
      ++at;
  }
  if (letters.size() == 1 || at >= text.size() || text[at] != ']')
    return {};
  end = at + 1;
  return letters + "\"";
}

} // namespace

std::string cut_map_text(std::string_view text) {
  std::string clean = printable(text.substr(0, 4 * kMapDataTextMax));
  if (clean.size() <= kMapDataTextMax && text.size() <= 4 * kMapDataTextMax)
    return clean;
  std::size_t end = std::min(clean.size(), kMapDataTextMax - 3);
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xc0) == 0x80)
    --end; // not within a character
  return clean.substr(0, end) + "...";
}

std::string map_bytes_text(std::span<const std::byte> bytes) {
  if (bytes.size() == sizeof(std::uint32_t)) {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return fmt::format("{:#010x} ({})", number, number);
  }
  if (bytes.size() == sizeof(std::uint64_t)) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return fmt::format("{:#018x} ({})", number, number);
  }
  // Each takes two digits, a blank and a letter.
  const auto shown = bytes.first(std::min(bytes.size(), (kMapDataTextMax - 8) / 4));
  std::string hex, letters;
  for (const std::byte byte : shown) {
    hex += fmt::format("{:02x} ", std::to_integer<unsigned>(byte));
    const bool is_shown = is_ascii(byte) && byte != std::byte{'"'};
    letters += is_shown ? std::to_integer<char>(byte) : '.';
  }
  return fmt::format("{}{}\"{}\"", hex, shown.size() < bytes.size() ? "... " : "", letters);
}

std::string without_casts(std::string_view dumped) {
  std::string text;
  text.reserve(dumped.size());
  for (std::size_t at = 0; at < dumped.size();) {
    if (dumped[at] == '(') {
      at = end_of_brackets(dumped, at);
    } else if (dumped[at] == '\'') {
      const std::size_t end = end_of_letter(dumped, at);
      text += dumped.substr(at, end - at);
      at = end;
    } else if (dumped[at] == '[') {
      std::size_t end = at;
      const std::string letters = string_of_letters(dumped, end);
      text += letters.empty() ? "[" : letters;
      at = letters.empty() ? at + 1 : end;
    } else if (dumped[at] == ',' && at + 1 < dumped.size() &&
               (dumped[at + 1] == '}' || dumped[at + 1] == ']')) {
      ++at; // after the last there is nothing to come
    } else {
      text += dumped[at];
      if (dumped[at++] == ',')
        text += ' ';
    }
  }
  return text;
}

} // namespace mapscope
