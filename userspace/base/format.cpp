// Rounding for people.
#include "base/format.h"

#include <array>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

namespace mapscope {

namespace {

// Three significant digits of a value below 1024.
std::string three_digits(double value) {
  int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

} // namespace

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1023.5 would be printed as 1024: it is 1.00 of the next unit.
  while (value >= 1023.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", three_digits(value), units[unit]);
}

std::string format_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string format_duration(std::uint64_t duration_ns) {
  constexpr std::uint64_t second_ns = 1'000'000'000;
  constexpr std::array<std::string_view, 4> units = {"ns", "us", "ms", "s"};
  std::uint64_t seconds = (duration_ns + second_ns / 2) / second_ns;
  if (seconds >= 3600)
    return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
  if (seconds >= 60)
    return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (duration_ns < 1000)
    return fmt::format("{} ns", duration_ns);
  auto value = static_cast<double>(duration_ns);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{} {}", three_digits(value), units[unit]);
}

std::string format_counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

} // namespace mapscope
