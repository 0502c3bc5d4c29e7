// Numbers with units; see value_text.h.
#include "config/value_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>

#include <fmt/format.h>

#include "base/printable.h"

namespace mapscope::configuration {
namespace {

constexpr std::size_t kShownMax = 60;

struct DurationUnit {
  std::string_view suffix;
  std::uint64_t milliseconds;
};
constexpr auto kDurationUnits = std::to_array<DurationUnit>(
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}});
constexpr std::uint64_t kDurationMax = 100 * 365 * 86'400'000ULL;

struct SizeUnit {
  std::string_view suffix;
  std::uint64_t bytes;
};
constexpr auto kSizeUnits = std::to_array<SizeUnit>({{"TiB", 1ULL << 40},
                                                     {"GiB", 1ULL << 30},
                                                     {"MiB", 1ULL << 20},
                                                     {"KiB", 1ULL << 10},
                                                     {"TB", 1'000'000'000'000},
                                                     {"GB", 1'000'000'000},
                                                     {"MB", 1'000'000},
                                                     {"kB", 1'000},
                                                     {"B", 1}});

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits at the front of `text` away; empty: there are none, or too many.
std::optional<std::uint64_t> take_digits(std::string_view &text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view take_letters(std::string_view &text) {
  std::size_t length = 0;
  while (length < text.size() && !is_digit(text[length]))
    ++length;
  const std::string_view letters = text.substr(0, length);
  text.remove_prefix(length);
  return letters;
}

template <typename Unit, std::size_t N>
const Unit *unit_named(const std::array<Unit, N> &units, std::string_view suffix) {
  for (const Unit &unit : units)
    if (unit.suffix == suffix)
      return &unit;
  return nullptr;
}

// The digits of a time at a fixed place, or nothing where other characters stand there.
std::optional<int> digits_at(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || !is_digit(text[i]))
      return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "Z", "+01:00" or "-05:30", as minutes to the east.
std::optional<int> offset_minutes(std::string_view text) {
  if (text == "Z" || text == "z")
    return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
    return std::nullopt;
  const auto hours = digits_at(text, 1, 2), minutes = digits_at(text, 4, 2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59)
    return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (*hours * 60 + *minutes);
}

} // namespace

std::string in_quotes(std::string_view text) {
  const bool is_cut = text.size() > kShownMax;
  return fmt::format("\"{}{}\"", printable(text.substr(0, kShownMax)), is_cut ? "..." : "");
}

FromText<std::chrono::milliseconds> duration_from(std::string_view text) {
  if (text == "0")
    return std::chrono::milliseconds{0};
  const auto no_duration = [&] {
    return std::unexpected(fmt::format("{} is no duration", in_quotes(text)));
  };
  std::uint64_t milliseconds = 0;
  std::string_view rest = text;
  const DurationUnit *last = nullptr;
  while (!rest.empty() || last == nullptr) {
    const auto value = take_digits(rest);
    const std::string_view suffix = take_letters(rest);
    if (!value)
      return no_duration();
    if (suffix.empty())
      return std::unexpected(fmt::format("{} has no unit", in_quotes(text)));
    const DurationUnit *unit = unit_named(kDurationUnits, suffix);
    if (unit == nullptr || (last != nullptr && unit <= last))
      return no_duration(); // "5x"; "5m1h", which is more likely a mistake than meant
    if (*value > (kDurationMax - milliseconds) / unit->milliseconds)
      return std::unexpected(fmt::format("{} is more than a hundred years", in_quotes(text)));
    milliseconds += *value * unit->milliseconds;
    last = unit;
  }
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds)};
}

std::string duration_text(std::chrono::milliseconds duration) {
  auto rest = static_cast<std::uint64_t>(duration.count());
  std::string text;
  for (const DurationUnit &unit : kDurationUnits)
    if (rest >= unit.milliseconds) {
      text += fmt::format("{}{}", rest / unit.milliseconds, unit.suffix);
      rest %= unit.milliseconds;
    }
  return text.empty() ? "0" : text;
}

FromText<std::uint64_t> size_from(std::string_view text) {
  std::string_view rest = text;
  const auto value = take_digits(rest);
  while (rest.starts_with(' '))
    rest.remove_prefix(1);
  const SizeUnit *unit = rest.empty() ? &kSizeUnits.back() : unit_named(kSizeUnits, rest);
  if (!value || unit == nullptr)
    return std::unexpected(fmt::format("{} is no size", in_quotes(text)));
  if (*value > UINT64_MAX / unit->bytes)
    return std::unexpected(fmt::format("{} is more than memory can hold", in_quotes(text)));
  return *value * unit->bytes;
}

std::string size_text(std::uint64_t bytes) {
  for (const SizeUnit &unit : kSizeUnits)
    if (bytes != 0 && unit.bytes != 1 && bytes % unit.bytes == 0)
      return fmt::format("{}{}", bytes / unit.bytes, unit.suffix);
  return fmt::format("{}", bytes);
}

FromText<double> number_from(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::unexpected(fmt::format("{} is no number", in_quotes(text)));
  if (std::signbit(value))
    return std::unexpected(fmt::format("{} is below 0", in_quotes(text)));
  return value;
}

FromText<std::uint64_t> count_from(std::string_view text) {
  std::string_view rest = text;
  const auto value = take_digits(rest);
  if (!value || !rest.empty())
    return std::unexpected(fmt::format("{} is no whole number", in_quotes(text)));
  return *value;
}

FromText<double> share_from(std::string_view text) {
  const bool is_percent = text.ends_with('%');
  const auto value = number_from(is_percent ? text.substr(0, text.size() - 1) : text);
  if (!value)
    return std::unexpected(fmt::format("{} is no share", in_quotes(text)));
  return is_percent ? *value / 100 : *value;
}

std::string share_text(double share) {
  const std::string percent = fmt::format("{:.6g}%", share * 100);
  const auto again = share_from(percent);
  return again && *again == share ? percent : fmt::format("{}", share);
}

FromText<std::uint64_t> time_from(std::string_view text) {
  const auto no_time = [&] {
    return std::unexpected(fmt::format("{} is no time", in_quotes(text)));
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
    return no_time();
  const auto year = digits_at(text, 0, 4), month = digits_at(text, 5, 2),
             day = digits_at(text, 8, 2), hour = digits_at(text, 11, 2),
             minute = digits_at(text, 14, 2), second = digits_at(text, 17, 2);
  const auto offset = offset_minutes(text.substr(19));
  if (!year || !month || !day || !hour || !minute || !second || !offset)
    return no_time();
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1971 || *year > 2500 || *hour > 23 || *minute > 59 || *second > 59)
    return no_time();
  const std::chrono::seconds since_1970 =
      std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{*hour} +
      std::chrono::minutes{*minute - *offset} + std::chrono::seconds{*second};
  return static_cast<std::uint64_t>(since_1970.count()) * 1'000'000'000;
}

std::string time_text(std::uint64_t wall_ns) {
  const std::chrono::sys_seconds time{
      std::chrono::seconds{static_cast<std::int64_t>(wall_ns / 1'000'000'000)}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto second = (time - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     second / 3600, second / 60 % 60, second % 60);
}

} // namespace mapscope::configuration
