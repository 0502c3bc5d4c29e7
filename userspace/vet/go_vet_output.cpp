// The JSON of golang.org/x/tools/go/analysis/unitchecker (internal/analysisflags: JSONTree).
#include "vet/go_vet_output.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "vet/vet_rules.h"

namespace mapscope {
namespace {

using nlohmann::json;

constexpr std::size_t kProblemBytesMax = 2000;

// The end of the JSON object at the front of the text; npos: it does not end.
std::size_t object_end(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char character = text[at];
    if (in_string && character == '\\')
      ++at;
    else if (character == '"')
      in_string = !in_string;
    else if (!in_string && character == '{')
      ++depth;
    else if (!in_string && character == '}' && --depth == 0)
      return at + 1;
  }
  return std::string_view::npos;
}

std::string text_at(const json &object, const char *name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// The number behind the last colon, which it takes off; 0: there is none.
std::uint32_t take_number(std::string &place) {
  const std::size_t colon = place.rfind(':');
  if (colon == std::string::npos)
    return 0;
  std::uint32_t number = 0;
  const char *end = place.data() + place.size();
  const auto [stopped, failure] = std::from_chars(place.data() + colon + 1, end, number);
  if (failure != std::errc{} || stopped != end)
    return 0;
  place.resize(colon);
  return number;
}

// "file:line:column", "file:line" or "file".
void set_place(std::string place, std::string_view directory, VetFinding &finding) {
  const std::uint32_t last = take_number(place);
  const std::uint32_t before = last == 0 ? 0 : take_number(place);
  finding.line = before == 0 ? last : before;
  finding.column = before == 0 ? 0 : last;
  const bool is_below = place.size() > directory.size() + 1 && place.starts_with(directory) &&
                        place[directory.size()] == '/';
  finding.file = is_below ? place.substr(directory.size() + 1) : place;
}

void add_diagnostic(const json &diagnostic, const std::string &analyzer, std::string_view directory,
                    const VetOptions &options, VetReport &report) {
  if (!diagnostic.is_object())
    return;
  const std::string category = text_at(diagnostic, "category");
  VetFinding finding{.rule = category.empty() ? analyzer : category,
                     .message = text_at(diagnostic, "message")};
  if (const VetRule *rule = find_vet_rule(finding.rule); rule != nullptr)
    finding.level = rule->level;
  if (std::ranges::find(options.disabled, finding.rule) != options.disabled.end())
    return;
  set_place(text_at(diagnostic, "posn"), directory, finding);
  const auto fixes = diagnostic.find("suggested_fixes");
  if (fixes != diagnostic.end() && fixes->is_array() && !fixes->empty() &&
      fixes->front().is_object())
    finding.fix = text_at(fixes->front(), "message");
  report.findings.push_back(std::move(finding));
}

void add_tree(const json &tree, std::string_view directory, const VetOptions &options,
              VetReport &report) {
  if (!tree.is_object())
    return;
  for (const auto &[package, analyzers] : tree.items()) {
    if (!analyzers.is_object())
      continue;
    for (const auto &[analyzer, result] : analyzers.items())
      if (result.is_array())
        for (const json &diagnostic : result)
          add_diagnostic(diagnostic, analyzer, directory, options, report);
      else if (result.is_object())
        report.problems.push_back({package, fmt::format("{} could not judge it: {}", analyzer,
                                                        printable(text_at(result, "error")))});
  }
}

} // namespace

void read_go_vet_output(std::string_view text, std::string_view directory,
                        const VetOptions &options, VetReport &report) {
  std::string other;
  while (!text.empty()) {
    if (text.front() == '{') {
      const std::size_t end = object_end(text);
      const json tree = json::parse(text.substr(0, end), nullptr, false);
      if (end == std::string_view::npos || tree.is_discarded()) {
        report.problems.push_back({"", "go vet printed JSON that is not whole"});
        return;
      }
      add_tree(tree, directory, options, report);
      text.remove_prefix(end);
      continue;
    }
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#') || line.starts_with("go: downloading "))
      continue; // "# package", and what goes well
    if (other.size() < kProblemBytesMax)
      other += fmt::format("{}{}", other.empty() ? "" : "; ", printable(line));
  }
  if (!other.empty())
    report.problems.push_back({"", fmt::format("go vet says: {}", other)});
}

} // namespace mapscope
