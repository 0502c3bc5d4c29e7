// The kinds of values that a configuration has, each with its limits.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "config/fields.h"
#include "flow/rule.h"

namespace mapscope::configuration {

enum class ZeroMeans { nothing, never }; // whether "0" is allowed below the minimum

ConfigValue<std::chrono::seconds> seconds(std::chrono::seconds min, std::chrono::seconds max,
                                          ZeroMeans zero = ZeroMeans::nothing);
ConfigValue<std::chrono::milliseconds> milliseconds(std::chrono::milliseconds min,
                                                    std::chrono::milliseconds max);
ConfigValue<std::uint64_t> size(std::uint64_t min, std::uint64_t max);
ConfigValue<double> share(double min, double max);
ConfigValue<double> number(double min);
ConfigValue<bool> boolean();

// Whole numbers of any width.
template <typename T> ConfigValue<T> count(T min, T max) {
  static_assert(std::is_unsigned_v<T>);
  const std::string expected = max == std::numeric_limits<T>::max()
                                   ? fmt::format("a whole number from {} on", min)
                                   : fmt::format("a whole number from {} to {}", min, max);
  return scalar<T>(
      expected,
      [min, max](std::string_view text) -> FromText<T> {
        const auto value = count_from(text);
        if (!value)
          return std::unexpected(value.error());
        if (*value < min || *value > max)
          return std::unexpected(fmt::format("{} is out of range", *value));
        return static_cast<T>(*value);
      },
      [](const T &value) { return fmt::format("{}", value); });
}

// Text that `problem_of` finds nothing wrong with.
using TextProblem = std::string (*)(std::string_view text);
ConfigValue<std::string> text(const std::string &expected, TextProblem problem_of);
ConfigValue<std::string> optional_text(const std::string &expected,
                                       TextProblem problem_of); // or ""
// One of some words.
ConfigValue<std::string> word(const std::vector<std::string> &words);

ConfigValue<std::string> name();          // of a rule or sink: [a-zA-Z0-9_-]
ConfigValue<std::string> absolute_path(); // of a file or directory
ConfigValue<std::string> optional_path(); // or ""
ConfigValue<std::map<std::string, std::string>> labels();
ConfigValue<ProcessSelector> selector();
// Globs; `example` is one of them, as the file has it.
ConfigValue<std::vector<std::string>> globs(const char *example);

// A list; one alone may stand without brackets.
ConfigValue<std::vector<std::string>> one_or_more(const ConfigValue<std::string> &item,
                                                  std::size_t max);
// A map of words to words.
ConfigValue<std::map<std::string, std::string>>
word_map(const std::string &expected, TextProblem of_key, TextProblem of_value, std::size_t max);

// What is wrong with a text, or "".
std::string no_problem(std::string_view text);
std::string label_name_problem(std::string_view text);
std::string label_value_problem(std::string_view text);

} // namespace mapscope::configuration
