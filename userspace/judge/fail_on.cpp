// A table of fields, each with the figure it means and the words it is told in.
#include "judge/fail_on.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include <fmt/format.h>

#include "base/format.h"

namespace mapscope {

namespace {

enum class Unit { bytes, count, share };

struct Field {
  std::string_view name;
  Unit unit;
  std::optional<double> (*value)(const MapFigures &figures);
};

std::optional<double> number(std::uint64_t value) { return static_cast<double>(value); }
std::optional<double> number(std::optional<std::uint64_t> value) {
  return value ? std::optional{static_cast<double>(*value)} : std::nullopt;
}

constexpr std::array kFields = {
    Field{"reclaimable", Unit::bytes,
          [](const MapFigures &figures) { return number(figures.reclaimable_bytes); }},
    Field{"bytes", Unit::bytes, [](const MapFigures &figures) { return number(figures.bytes); }},
    Field{"maps", Unit::count, [](const MapFigures &figures) { return number(figures.maps); }},
    Field{"entries", Unit::count,
          [](const MapFigures &figures) { return number(figures.entries); }},
    // Nothing to fill is full.
    Field{"fill", Unit::share,
          [](const MapFigures &figures) {
            return std::optional{figures.slots == 0 ? 1.0
                                                    : static_cast<double>(figures.entries) /
                                                          static_cast<double>(figures.slots)};
          }},
    Field{"resident", Unit::bytes,
          [](const MapFigures &figures) { return number(figures.resident_bytes); }},
    Field{"unsettled", Unit::count,
          [](const MapFigures &figures) { return number(figures.unsettled); }},
    Field{"tombstones", Unit::count,
          [](const MapFigures &figures) { return number(figures.tombstones); }},
    Field{"map.bytes", Unit::bytes,
          [](const MapFigures &figures) { return number(figures.map_bytes_max); }},
    Field{"map.reclaimable", Unit::bytes,
          [](const MapFigures &figures) { return number(figures.map_reclaimable_bytes_max); }},
    Field{"map.len", Unit::count,
          [](const MapFigures &figures) { return number(figures.map_len_max); }},
};

struct Suffix {
  std::string_view text;
  Unit unit;
  double factor;
};

// Longer ones first: every one of them ends in a shorter one, or could.
constexpr std::array kSuffixes = {
    Suffix{"KiB", Unit::bytes, 1024.0},
    Suffix{"MiB", Unit::bytes, 1024.0 * 1024},
    Suffix{"GiB", Unit::bytes, 1024.0 * 1024 * 1024},
    Suffix{"TiB", Unit::bytes, 1024.0 * 1024 * 1024 * 1024},
    Suffix{"B", Unit::bytes, 1},
    Suffix{"k", Unit::count, 1e3},
    Suffix{"M", Unit::count, 1e6},
    Suffix{"%", Unit::share, 0.01},
};

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == text.npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string field_names() {
  std::string names;
  for (std::size_t i = 0; i < kFields.size(); ++i)
    names += fmt::format("{}{}",
                         i == 0                    ? ""
                         : i + 1 == kFields.size() ? " and "
                                                   : ", ",
                         kFields[i].name);
  return names;
}

std::string_view example_of(Unit unit) {
  switch (unit) {
  case Unit::bytes:
    return "a number of bytes, or one with KiB, MiB or GiB, such as 64MiB";
  case Unit::count:
    return "a number, or one with k or M, such as 100k";
  case Unit::share:
    return "a share, such as 0.25 or 25%";
  }
  return {};
}

// Digits with or without a point, and then a unit of that kind, or none.
std::optional<double> parse_number(std::string_view text, Unit unit) {
  double factor = 1;
  for (const Suffix &suffix : kSuffixes)
    if (suffix.unit == unit && text.ends_with(suffix.text)) {
      text.remove_suffix(suffix.text.size());
      text = trimmed(text);
      factor = suffix.factor;
      break;
    }
  double value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  bool is_whole = error == std::errc{} && end == text.data() + text.size();
  // Written so that what is no number fails as well.
  if (!is_whole || !(value >= 0 && value <= 1e18))
    return std::nullopt;
  return value * factor;
}

std::string as_text(double value, Unit unit) {
  switch (unit) {
  case Unit::bytes:
    return format_bytes(static_cast<std::uint64_t>(value));
  case Unit::count:
    return format_count(static_cast<std::uint64_t>(value));
  case Unit::share:
    return fmt::format("{:.1f} %", 100 * value);
  }
  return {};
}

} // namespace

void MapFigures::add(std::uint64_t len, std::uint64_t slots_of_map, std::uint64_t tombstones_of_map,
                     std::uint64_t bytes_of_map, std::optional<std::uint64_t> reclaimable_of_map) {
  ++maps;
  entries += len;
  slots += slots_of_map;
  tombstones += tombstones_of_map;
  bytes += bytes_of_map;
  map_len_max = std::max(map_len_max, len);
  map_bytes_max = std::max(map_bytes_max, bytes_of_map);
  if (!reclaimable_of_map)
    return;
  reclaimable_bytes = reclaimable_bytes.value_or(0) + *reclaimable_of_map;
  map_reclaimable_bytes_max = std::max(map_reclaimable_bytes_max, *reclaimable_of_map);
}

Result<FailOn::Condition> FailOn::parse_one(std::string_view text) {
  struct Operator {
    std::string_view text;
    Comparison comparison;
  };
  constexpr std::array operators = {
      Operator{"<=", Comparison::at_most}, Operator{">=", Comparison::at_least},
      Operator{"==", Comparison::equal},   Operator{"!=", Comparison::unequal},
      Operator{"<", Comparison::less},     Operator{">", Comparison::more},
  };
  auto at = text.find_first_of("<>=!");
  const Operator *found = nullptr;
  for (const Operator &candidate : operators)
    if (found == nullptr && at != text.npos && text.substr(at).starts_with(candidate.text))
      found = &candidate;
  if (found == nullptr)
    return fail(Errc::usage,
                "--fail-on \"{}\": a field, one of < <= > >= == !=, and a number, such as "
                "'reclaimable>64MiB'; there are {}",
                text, field_names());
  std::string_view name = trimmed(text.substr(0, at));
  const auto *field = std::ranges::find(kFields, name, &Field::name);
  if (field == kFields.end())
    return fail(Errc::usage, "--fail-on \"{}\": there is no field \"{}\"; there are {}", text, name,
                field_names());
  std::string_view limit_text = trimmed(text.substr(at + found->text.size()));
  auto limit = parse_number(limit_text, field->unit);
  if (!limit)
    return fail(Errc::usage, "--fail-on \"{}\": {} is compared with {}, and \"{}\" is none", text,
                field->name, example_of(field->unit), limit_text);
  return Condition{.field = static_cast<std::size_t>(field - kFields.begin()),
                   .comparison = found->comparison,
                   .limit = *limit,
                   .text = fmt::format("{} {}", found->text, as_text(*limit, field->unit))};
}

Result<FailOn> FailOn::parse(std::string_view text) {
  FailOn conditions;
  while (true) {
    auto comma = text.find(',');
    conditions.conditions_.push_back(TRY(parse_one(trimmed(text.substr(0, comma)))));
    if (comma == text.npos)
      return conditions;
    text.remove_prefix(comma + 1);
  }
}

bool FailOn::holds(const Condition &condition, double value) {
  switch (condition.comparison) {
  case Comparison::less:
    return value < condition.limit;
  case Comparison::at_most:
    return value <= condition.limit;
  case Comparison::more:
    return value > condition.limit;
  case Comparison::at_least:
    return value >= condition.limit;
  case Comparison::equal:
    return value == condition.limit;
  case Comparison::unequal:
    return value != condition.limit;
  }
  return false;
}

std::vector<std::string> FailOn::hits(const MapFigures &figures) const {
  std::vector<std::string> sentences;
  for (const Condition &condition : conditions_) {
    const Field &field = kFields.at(condition.field);
    auto value = field.value(figures);
    if (value && holds(condition, *value))
      sentences.push_back(
          fmt::format("{} is {}, {}", field.name, as_text(*value, field.unit), condition.text));
  }
  return sentences;
}

std::vector<std::string> FailOn::unanswered(const MapFigures &figures) const {
  std::vector<std::string> sentences;
  for (const Condition &condition : conditions_) {
    const Field &field = kFields.at(condition.field);
    if (!field.value(figures))
      sentences.push_back(fmt::format("{} is not known here, so whether it is {} can't be told",
                                      field.name, condition.text));
  }
  return sentences;
}

} // namespace mapscope
