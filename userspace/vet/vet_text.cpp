// Lines as compilers write them; see vet_text.h.
#include "vet/vet_text.h"

#include <string_view>

#include <fmt/format.h>

#include "base/printable.h"

namespace mapscope {
namespace {

std::string_view colour_of(VetLevel level) {
  switch (level) {
  case VetLevel::error:
    return "\x1b[1;31m";
  case VetLevel::warning:
    return "\x1b[1;33m";
  case VetLevel::note:
    return "\x1b[1;36m";
  }
  return "";
}

} // namespace

std::string vet_text(std::span<const VetFinding> findings, bool colour) {
  const std::string_view bold = colour ? "\x1b[1m" : "", end = colour ? "\x1b[0m" : "";
  std::string out;
  for (const VetFinding &finding : findings) {
    // Always with line and column, for those who read this by a pattern; 0 is not known.
    const std::string place =
        fmt::format("{}:{}:{}", printable(finding.file), finding.line, finding.column);
    out += fmt::format("{}{}:{} {}{}:{} {} [{}]\n", bold, place, end,
                       colour ? colour_of(finding.level) : "",
                       kVetLevelNames[static_cast<std::size_t>(finding.level)], end,
                       printable(finding.message), finding.rule);
    if (!finding.fix.empty())
      out += fmt::format("    {}\n", printable(finding.fix));
  }
  return out;
}

} // namespace mapscope
