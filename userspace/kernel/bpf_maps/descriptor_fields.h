// Numbers in what /proc/PID/fdinfo says of a descriptor: a line each, "name:\tnumber".
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace mapscope {

// `name` as the kernel writes it, colon and tab included. Nothing: there is no such line, or no
// number in it that fits.
template <std::unsigned_integral T>
std::optional<T> descriptor_field(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(name))
      continue;
    line.remove_prefix(name.size());
    T number = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
    if (parsed.ec == std::errc{} && parsed.ptr == line.data() + line.size())
      return number;
    return std::nullopt;
  }
  return std::nullopt;
}

} // namespace mapscope
