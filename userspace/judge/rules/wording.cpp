// Short names, and numbers in words.
#include "judge/rules/wording.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <ranges>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"

namespace mapscope {

namespace {

constexpr std::size_t kTypeLengthMax = 48, kOwnerLengthMax = 48, kFileLengthMax = 32,
                      kFunctionLengthMax = 40, kProcessLengthMax = 32;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::uint64_t whole(double value) {
  constexpr double kMax = 1e18;
  return std::isfinite(value)
             ? static_cast<std::uint64_t>(std::llround(std::clamp(value, 0.0, kMax)))
             : 0;
}

} // namespace

std::string shortened(std::string_view text, std::size_t length_max) {
  if (text.size() <= length_max)
    return std::string{text};
  std::size_t front = length_max / 2 - 1, back = text.size() - (length_max - front - 3);
  while (front > 0 && continues_character(text[front]))
    --front;
  while (back < text.size() && continues_character(text[back]))
    ++back;
  return fmt::format("{}...{}", text.substr(0, front), text.substr(back));
}

std::string process_text(const ProcessIdentity &process) {
  if (process.key == kKernel)
    return "kernel";
  std::string_view name = file_name(process.exe);
  return fmt::format("{} (pid {})", name.empty() ? "process" : shortened(name, kProcessLengthMax),
                     process.key.pid);
}

std::string line_text(const SourceFrame &site) {
  if (site.file.empty() || site.line == 0)
    return site.function;
  return fmt::format("{}:{} ({})", file_name(site.file), site.line, site.function);
}

std::string address_text(ProcessAddress address) { return fmt::format("{:#x}", address.value); }

std::string map_text(const SampledMap &map) {
  std::string text = map.type.empty() ? "map" : shortened(map.type, kTypeLengthMax);
  if (!map.owner.empty())
    text += " of " + shortened(map.owner, kOwnerLengthMax);
  if (map.site && map.site->line != 0 && !map.site->file.empty())
    text += fmt::format(" ({}:{})", shortened(file_name(map.site->file), kFileLengthMax),
                        map.site->line);
  else if (map.site && !map.site->function.empty())
    text += fmt::format(" ({})", shortened(map.site->function, kFunctionLengthMax));
  else if (map.owner.empty())
    text += " at " + address_text(map.address);
  return text;
}

std::string largest_maps_text(const CensusSample &sample, std::size_t count) {
  std::map<std::string, std::uint64_t> by_name;
  for (const SampledMap &map : sample.maps) {
    if (map.is_unreachable)
      continue;
    std::string name = shortened(map.owner, kOwnerLengthMax);
    if (name.empty())
      name = map.site ? line_text(*map.site) : std::string{};
    const std::string type = map.type.empty() ? "map" : shortened(map.type, kTypeLengthMax);
    by_name[name.empty() ? type : fmt::format("{} ({})", name, type)] += map.bytes;
  }
  std::vector<std::pair<std::string, std::uint64_t>> sorted{by_name.begin(), by_name.end()};
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &decltype(sorted)::value_type::second);
  std::string text;
  for (const auto &[name, bytes] : sorted | std::views::take(count))
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, format_bytes(bytes));
  return text;
}

std::string bytes_text(double bytes) { return format_bytes(whole(bytes)); }
std::string count_text(double count) { return format_count(whole(count)); }

std::string percent_text(double share) {
  const double percent = std::isfinite(share) ? std::max(0.0, 100 * share) : 0;
  return fmt::format("{:.{}f} %", percent, percent < 9.95 ? 1 : 0);
}

std::string span_text(std::uint64_t duration_ns) {
  std::string text = format_duration(duration_ns);
  for (std::string_view rest : {" 0 s", " 0 min"})
    if (text.ends_with(rest) && text.size() > rest.size())
      text.resize(text.size() - rest.size());
  return text;
}

} // namespace mapscope
