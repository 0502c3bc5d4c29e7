// Collects what is wrong; see problems.h.
#include "config/problems.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/value_text.h"

namespace mapscope::configuration {
namespace {

constexpr std::size_t kLinesMax = 100;
constexpr std::size_t kWordMax = 64;

// How many letters have to be put in, taken out, exchanged or swapped with their neighbour.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before_last, last, row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const bool is_same = from[i - 1] == to[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (is_same ? 0U : 1U)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[to.size()];
}

} // namespace

void ConfigProblems::add(YamlMark mark, std::string_view path, std::string_view what) {
  if (lines_.size() == kLinesMax) {
    ++left_out_;
    return;
  }
  lines_.push_back(fmt::format("{}:{}:{}: {}{}{}", file_, mark.line, mark.column, path,
                               path.empty() ? "" : ": ", what));
}

Error ConfigProblems::error() const {
  std::string text = fmt::format("{}", fmt::join(lines_, "\n"));
  if (left_out_ != 0)
    text += fmt::format("\n{}: {} problems more", file_, left_out_);
  return {Errc::usage, std::move(text)};
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  if (word.empty() || word.size() > kWordMax)
    return "";
  std::string nearest;
  std::size_t distance = 1 + std::max<std::size_t>(1, word.size() / 3);
  for (const std::string &candidate : known)
    if (const std::size_t edits = edit_distance(word, candidate); edits < distance) {
      nearest = candidate;
      distance = edits;
    }
  return nearest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", nearest);
}

std::string listed(std::span<const std::string> words) {
  if (words.size() < 2)
    return words.empty() ? "" : words[0];
  return fmt::format("{} and {}", fmt::join(words.first(words.size() - 1), ", "), words.back());
}

std::string printable_key(std::string_view key) {
  const bool is_name =
      !key.empty() && key.size() <= kWordMax && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
      });
  return is_name ? std::string{key} : in_quotes(key);
}

} // namespace mapscope::configuration
