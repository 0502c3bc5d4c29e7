// Reads the generated table, which has a number only where it changes.
#include "binary/layout_table.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace mapscope {
namespace {

constexpr std::string_view kTable =
#include "binary/layout_table.inc"
    ;

constexpr std::string_view kClassicMaps = "noswissmap";

// Both take what they return, and the separator behind it, off the front.
std::string_view next_line(std::string_view &text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view &line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// The table is our own: a wrong number in it is a bug.
std::uint32_t number(std::string_view digits) {
  std::uint32_t value = 0;
  [[maybe_unused]] auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  assert(error == std::errc{} && end == digits.data() + digits.size());
  return value;
}

// One column: "1.24.13-noswissmap".
struct Toolchain {
  std::string_view text;
  GoVersion version;
  std::string_view experiment;
};

std::vector<Toolchain> parse_toolchains(std::string_view line) {
  std::vector<Toolchain> toolchains;
  next_word(line); // "toolchains"
  for (auto text = next_word(line); !text.empty(); text = next_word(line)) {
    auto dash = std::min(text.find('-'), text.size());
    auto release = text.substr(0, dash);
    auto first = release.find('.'), second = release.rfind('.');
    toolchains.push_back({
        .text = text,
        .version = {number(release.substr(0, first)),
                    number(release.substr(first + 1, second - first - 1)),
                    number(release.substr(second + 1))},
        .experiment = text.substr(std::min(dash + 1, text.size())),
    });
  }
  return toolchains;
}

const Toolchain *find_nearest(const std::vector<Toolchain> &toolchains, GoVersion version,
                              std::string_view experiment) {
  auto distance = [&](const Toolchain &toolchain) {
    return std::max(toolchain.version.patch, version.patch) -
           std::min(toolchain.version.patch, version.patch);
  };
  const Toolchain *nearest = nullptr;
  for (const Toolchain &toolchain : toolchains) {
    bool same_line = toolchain.version.major == version.major &&
                     toolchain.version.minor == version.minor && toolchain.experiment == experiment;
    if (same_line && (nearest == nullptr || distance(toolchain) < distance(*nearest)))
      nearest = &toolchain;
  }
  return nearest;
}

// Values of one row, as the toolchains from the oldest up to `wanted` change them.
std::optional<std::uint32_t> value_for(std::string_view row, std::span<const Toolchain> until) {
  std::optional<std::uint32_t> value;
  auto toolchain = until.begin();
  for (auto word = next_word(row); !word.empty(); word = next_word(row)) {
    if (auto colon = word.find(':'); colon != word.npos) {
      toolchain =
          std::ranges::find(toolchain, until.end(), word.substr(0, colon), &Toolchain::text);
      if (toolchain == until.end())
        break;
      word.remove_prefix(colon + 1);
    }
    value = word == "-" ? std::nullopt : std::optional{number(word)};
  }
  return value;
}

// Calls `visit` with each full name ("runtime.g.goid") and the values behind it.
template <typename Visit> void for_each_row(std::string_view rows, Visit visit) {
  std::string_view structure;
  while (!rows.empty()) {
    std::string_view values = next_line(rows);
    bool is_field = values.starts_with(' ');
    std::string_view name = next_word(values);
    if (!is_field)
      structure = name;
    visit(is_field ? fmt::format("{}.{}", structure, name) : std::string{name}, values);
  }
}

} // namespace

RuntimeLayout layout_for(GoVersion version, Machine machine,
                         std::span<const std::string> experiments) {
  std::string_view rest = kTable;
  auto toolchains = parse_toolchains(next_line(rest));

  // 1.23 has no other maps than classic ones, and 1.26 none: there the experiment is no choice.
  bool classic = std::ranges::find(experiments, kClassicMaps) != experiments.end() &&
                 (version.minor == 24 || version.minor == 25);
  const Toolchain *toolchain =
      find_nearest(toolchains, version, classic ? kClassicMaps : std::string_view{});
  if (toolchain == nullptr)
    return {};

  RuntimeLayout layout{
      .source = toolchain->version == version ? LayoutSource::table : LayoutSource::nearest,
      .version = fmt::format("go{}", toolchain->text),
      .offsets = {},
  };
  std::span until{toolchains.data(), toolchain + 1};
  for_each_row(rest, [&](std::string name, std::string_view values) {
    auto bar = values.find('|');
    bool own_arm64 = machine == Machine::arm64 && bar != values.npos;
    if (auto value = value_for(own_arm64 ? values.substr(bar + 1) : values.substr(0, bar), until))
      layout.offsets.emplace(std::move(name), *value);
  });
  return layout;
}

std::vector<std::string> layout_names() {
  std::string_view rest = kTable;
  next_line(rest); // the toolchains
  std::vector<std::string> names;
  for_each_row(rest, [&](std::string name, std::string_view) { names.push_back(std::move(name)); });
  return names;
}

} // namespace mapscope
