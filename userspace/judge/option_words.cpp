// Numbers with units, and patterns with stars.
#include "judge/option_words.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

namespace mapscope {
namespace {

// Base 16 with 0x in front, else base 10; all of the text.
std::optional<std::uint64_t> number_of(std::string_view text, int base) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

// Whether `text` is `pattern` with any text for each '*'. Linear but for going back to the newest
// star, which suffices: an earlier star can always leave more to a later one.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t star = pattern.npos;
  std::size_t resume = 0;
  std::size_t position = 0;
  while (position < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = position;
    } else if (at < pattern.size() && pattern[at] == text[position]) {
      ++at;
      ++position;
    } else if (star != pattern.npos) {
      at = star + 1;
      position = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == pattern.npos;
}

} // namespace

Result<std::uint64_t> parse_size(std::string_view option, std::string_view text) {
  struct Unit {
    std::string_view suffix;
    unsigned shift;
  };
  constexpr auto units = std::to_array<Unit>({{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}});
  std::string_view digits = text;
  unsigned shift = 0;
  for (const Unit &unit : units)
    if (digits.ends_with(unit.suffix)) {
      digits.remove_suffix(unit.suffix.size());
      shift = unit.shift;
      break;
    }
  auto value = number_of(digits, 10);
  if (!value || *value > (UINT64_MAX >> shift))
    return fail(Errc::usage, "{} \"{}\": a number of bytes, or one with KiB, MiB or GiB", option,
                text);
  return *value << shift;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view option, std::string_view text) {
  struct Unit {
    std::string_view suffix;
    std::int64_t milliseconds;
  };
  constexpr auto units = std::to_array<Unit>({{"ms", 1}, {"s", 1000}, {"m", 60'000}});
  constexpr std::int64_t kMax = 3'600'000;
  for (const Unit &unit : units) {
    if (!text.ends_with(unit.suffix))
      continue;
    auto value = number_of(text.substr(0, text.size() - unit.suffix.size()), 10);
    if (value && *value != 0 && *value <= static_cast<std::uint64_t>(kMax / unit.milliseconds))
      return std::chrono::milliseconds{static_cast<std::int64_t>(*value) * unit.milliseconds};
    break;
  }
  return fail(Errc::usage, "{} \"{}\": a time of up to an hour, such as 500ms, 10s or 2m", option,
              text);
}

Result<ProcessAddress> parse_map_address(std::string_view option, std::string_view text) {
  auto value = text.starts_with("0x") ? number_of(text.substr(2), 16) : std::nullopt;
  if (!value || *value == 0)
    return fail(Errc::usage, "{} \"{}\": the address of a map, such as 0xc000012340", option, text);
  return ProcessAddress{*value};
}

bool matches_type_name(std::string_view pattern, std::string_view name) {
  return pattern.contains('*') ? matches(pattern, name) : name.contains(pattern);
}

} // namespace mapscope
