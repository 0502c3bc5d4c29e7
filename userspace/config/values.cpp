// Checks of single values; see values.h.
#include "config/values.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace mapscope::configuration {
namespace {

constexpr std::size_t kPathMax = 4095; // PATH_MAX
constexpr std::size_t kPatternMax = 1024;
constexpr std::size_t kPatternsMax = 1000;
constexpr std::size_t kLabelsMax = 64;
constexpr std::size_t kLabelValueMax = 1024;
constexpr std::size_t kNameMax = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <typename Duration>
ConfigValue<Duration> duration(Duration min, Duration max, ZeroMeans zero) {
  const auto shown = [](Duration value) {
    return duration_text(std::chrono::duration_cast<std::chrono::milliseconds>(value));
  };
  std::string expected =
      fmt::format("a duration from {} to {}, such as 10s or 1h30m{}",
                  min == Duration::zero() ? "0s" : shown(min), shown(max),
                  zero == ZeroMeans::never && min != Duration::zero() ? ", or 0 for never" : "");
  return scalar<Duration>(
      expected,
      [min, max, zero](std::string_view text) -> FromText<Duration> {
        const auto read = duration_from(text);
        if (!read)
          return std::unexpected(read.error());
        const auto value = std::chrono::duration_cast<Duration>(*read);
        if (value != *read)
          return std::unexpected(fmt::format("{} has parts of a second", in_quotes(text)));
        if (value == Duration::zero() && zero == ZeroMeans::never)
          return value;
        if (value < min || value > max)
          return std::unexpected(fmt::format("{} is out of range", in_quotes(text)));
        return value;
      },
      shown);
}

std::string name_problem(std::string_view text) {
  const bool is_fine =
      !text.empty() && text.size() <= kNameMax && std::ranges::all_of(text, [](char c) {
        return is_letter(c) || is_digit(c) || c == '_' || c == '-';
      });
  return is_fine ? "" : fmt::format("{} is no name", in_quotes(text));
}

std::string path_problem(std::string_view text) {
  if (text.size() > kPathMax)
    return "the path is too long";
  return text.starts_with('/') ? "" : fmt::format("{} is no absolute path", in_quotes(text));
}

// What fnmatch(3) would take for a pattern that matches nothing.
std::string pattern_problem(std::string_view text) {
  if (text.empty() || text.size() > kPatternMax)
    return text.empty() ? "an empty pattern" : "the pattern is too long";
  bool in_brackets = false;
  for (std::size_t i = 0, first = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      if (++i == text.size())
        return fmt::format("{} ends with a backslash", in_quotes(text));
    } else if (!in_brackets && text[i] == '[') {
      in_brackets = true;
      first = i + (text.substr(i + 1).starts_with('!') ? 2 : 1); // a ] there means itself
    } else if (in_brackets && text[i] == ']' && i != first) {
      in_brackets = false;
    }
  }
  return in_brackets ? fmt::format("{} has a [ without a ]", in_quotes(text)) : "";
}

std::string path_pattern_problem(std::string_view text) {
  if (const std::string problem = pattern_problem(text); !problem.empty())
    return problem;
  return text.find_first_of("/*?[") == 0
             ? ""
             : fmt::format("{} matches nothing, since paths begin with /", in_quotes(text));
}

ConfigValue<std::vector<std::string>> patterns(TextProblem problem_of, const char *example) {
  return one_or_more(text(fmt::format("a glob such as {}", example), problem_of), kPatternsMax);
}

} // namespace

std::string no_problem(std::string_view) { return ""; }

std::string label_name_problem(std::string_view text) {
  const bool is_fine =
      !text.empty() && text.size() <= kNameMax && !is_digit(text[0]) && !text.starts_with("__") &&
      std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  return is_fine ? "" : fmt::format("{} is no name of a label", in_quotes(text));
}

std::string label_value_problem(std::string_view text) {
  return text.size() <= kLabelValueMax ? "" : "the value is too long";
}

ConfigValue<std::chrono::seconds> seconds(std::chrono::seconds min, std::chrono::seconds max,
                                          ZeroMeans zero) {
  return duration(min, max, zero);
}

ConfigValue<std::chrono::milliseconds> milliseconds(std::chrono::milliseconds min,
                                                    std::chrono::milliseconds max) {
  return duration(min, max, ZeroMeans::nothing);
}

ConfigValue<std::uint64_t> size(std::uint64_t min, std::uint64_t max) {
  return scalar<std::uint64_t>(
      max == UINT64_MAX
          ? "a size such as 64MiB, 1GB or a number of bytes"
          : fmt::format("a size from {} to {}, such as 64MiB, 1GB or a number of bytes",
                        size_text(min), size_text(max)),
      [min, max](std::string_view text) -> FromText<std::uint64_t> {
        auto bytes = size_from(text);
        if (bytes && (*bytes < min || *bytes > max))
          return std::unexpected(fmt::format("{} is out of range", in_quotes(text)));
        return bytes;
      },
      [](const std::uint64_t &bytes) { return size_text(bytes); });
}

ConfigValue<double> share(double min, double max) {
  return scalar<double>(
      fmt::format("a share from {} to {}, such as 30% or 0.3", share_text(min), share_text(max)),
      [min, max](std::string_view text) -> FromText<double> {
        auto value = share_from(text);
        if (value && (*value < min || *value > max))
          return std::unexpected(fmt::format("{} is out of range", in_quotes(text)));
        return value;
      },
      [](const double &value) { return share_text(value); });
}

ConfigValue<double> number(double min) {
  return scalar<double>(
      fmt::format("a number from {} on", min),
      [min](std::string_view text) -> FromText<double> {
        auto value = number_from(text);
        if (value && *value < min)
          return std::unexpected(fmt::format("{} is out of range", in_quotes(text)));
        return value;
      },
      [](const double &value) { return fmt::format("{}", value); });
}

ConfigValue<bool> boolean() {
  return scalar<bool>(
      "true or false",
      [](std::string_view text) -> FromText<bool> {
        if (text == "true" || text == "false")
          return text == "true";
        return std::unexpected(fmt::format("{} is neither", in_quotes(text)));
      },
      [](const bool &value) { return value ? "true" : "false"; });
}

ConfigValue<std::string> text(const std::string &expected, TextProblem problem_of) {
  return scalar<std::string>(
      expected,
      [problem_of](std::string_view read) -> FromText<std::string> {
        std::string problem = problem_of(read);
        if (!problem.empty())
          return std::unexpected(std::move(problem));
        return std::string{read};
      },
      [](const std::string &value) { return value; });
}

ConfigValue<std::string> optional_text(const std::string &expected, TextProblem problem_of) {
  return scalar<std::string>(
      expected,
      [problem_of](std::string_view read) -> FromText<std::string> {
        std::string problem = read.empty() ? "" : problem_of(read);
        if (!problem.empty())
          return std::unexpected(std::move(problem));
        return std::string{read};
      },
      [](const std::string &value) { return value; });
}

ConfigValue<std::string> word(const std::vector<std::string> &words) {
  return scalar<std::string>(
      fmt::format("one of {}", listed(words)),
      [words](std::string_view read) -> FromText<std::string> {
        if (std::ranges::find(words, read) != words.end())
          return std::string{read};
        return std::unexpected(
            fmt::format("{} is unknown{}", in_quotes(read), did_you_mean(read, words)));
      },
      [](const std::string &value) { return value; });
}

ConfigValue<std::string> name() {
  return text("a name of at most 64 letters, digits, - and _", name_problem);
}

ConfigValue<std::string> absolute_path() { return text("an absolute path", path_problem); }

ConfigValue<std::string> optional_path() {
  return optional_text("an absolute path, or \"\" for none", path_problem);
}

ConfigValue<std::map<std::string, std::string>> labels() {
  return word_map("a map of labels, such as {team: storage}", label_name_problem,
                  label_value_problem, kLabelsMax);
}

ConfigValue<ProcessSelector> selector() {
  using S = ProcessSelector;
  return section<S>({
      field("exe", &S::exe, patterns(path_pattern_problem, "\"/usr/bin/*\"")),
      field("command_line", &S::command_line, patterns(pattern_problem, "\"*--role=cache*\"")),
      field("unit", &S::unit, patterns(pattern_problem, "\"prometheus*.service\"")),
      field("cgroup", &S::cgroup, patterns(path_pattern_problem, "\"/kubepods*\"")),
      field("user", &S::user, patterns(pattern_problem, "www-data or 1000")),
      field("container", &S::container, patterns(pattern_problem, "\"4f1c*\"")),
  });
}

ConfigValue<std::vector<std::string>> globs(const char *example) {
  return patterns(pattern_problem, example);
}

ConfigValue<std::vector<std::string>> one_or_more(const ConfigValue<std::string> &item,
                                                  std::size_t max) {
  const std::string expected = fmt::format("{}, or a list of such", item.expected);
  ConfigValue<std::vector<std::string>> list = list_of(item, max);
  return {.expected = expected,
          .read =
              [item, list, expected](const ConfigPlace &place, std::vector<std::string> &words) {
                if (place.node.kind == YamlKind::map)
                  return place.wrong(fmt::format("a map; expected {}", expected));
                if (place.node.kind != YamlKind::scalar)
                  return list.read(place, words);
                words.clear();
                item.read(place, words.emplace_back());
              },
          .write = list.write};
}

ConfigValue<std::map<std::string, std::string>>
word_map(const std::string &expected, TextProblem of_key, TextProblem of_value, std::size_t max) {
  using Map = std::map<std::string, std::string>;
  const auto read = [expected, of_key, of_value, max](const ConfigPlace &place, Map &map) {
    if (place.node.kind == YamlKind::empty)
      return;
    if (place.node.kind != YamlKind::map)
      return place.wrong(fmt::format("{}; expected {}", name_of(place.node.kind), expected));
    if (place.node.entries.size() > max)
      return place.wrong(
          fmt::format("{} entries; expected at most {}", place.node.entries.size(), max));
    map.clear();
    for (const YamlEntry &entry : place.node.entries) {
      const std::string path = path_below(place.path, printable_key(entry.key));
      std::string problem = of_key(entry.key);
      if (problem.empty() && entry.value.kind != YamlKind::scalar)
        problem = name_of(entry.value.kind);
      if (problem.empty())
        problem = of_value(entry.value.text);
      if (!problem.empty())
        place.problems.add(entry.mark, path, fmt::format("{}; expected {}", problem, expected));
      else if (!map.emplace(entry.key, entry.value.text).second)
        place.problems.add(entry.mark, path, "stands here twice; expected each key once");
    }
  };
  const auto write = [](const Map &map) {
    YamlNode node{.kind = YamlKind::map};
    for (const auto &[key, value] : map)
      node.entries.push_back({.key = key, .mark = {}, .value = scalar_node(value)});
    return node;
  };
  return {.expected = expected, .read = read, .write = write};
}

} // namespace mapscope::configuration
