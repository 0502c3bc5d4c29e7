// The table of `doctor`, two lines for each feature.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/doctor_report.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

std::string mark(Availability availability, bool colour) {
  switch (availability) {
  case Availability::yes:
    return coloured("yes   ", Colour::green, colour);
  case Availability::no:
    return coloured("no    ", Colour::yellow, colour);
  case Availability::denied:
    return coloured("denied", Colour::red, colour);
  }
  return {};
}

// "For walking stacks; without it, ... Needs CAP_BPF and CAP_PERFMON."
std::string purpose(const Feature &feature) {
  if (feature.used_for.empty())
    return fmt::format("Not used: {}.", feature.without);
  std::string text = fmt::format("For {}; without it, {}.", feature.used_for, feature.without);
  if (!feature.capabilities.empty())
    text += fmt::format(" Needs {}.", fmt::join(feature.capabilities, " and "));
  return text;
}

std::string command_line(const DoctorReport &report, const std::string &command, bool colour) {
  std::vector<std::string> missing;
  for (const Feature &feature : missing_for(command, report.features))
    missing.push_back(feature.name);
  return missing.empty()
             ? fmt::format("{} can run\n", coloured(command, Colour::bold, colour))
             : fmt::format("{} {}: it needs {}\n", coloured(command, Colour::bold, colour),
                           coloured("cannot run", Colour::red, colour), fmt::join(missing, ", "));
}

} // namespace

std::string doctor_text(const DoctorReport &report, bool colour) {
  std::size_t name_width = 0;
  for (const Feature &feature : report.features)
    name_width = std::max(name_width, feature.name.size());

  std::string text = report.kernel + "\n\n";
  auto out = std::back_inserter(text);
  for (const Feature &feature : report.features) {
    fmt::format_to(out, "{}  {:<{}}  {}\n", mark(feature.availability, colour), feature.name,
                   name_width, feature.answer);
    fmt::format_to(out, "        {}\n", coloured(purpose(feature), Colour::dim, colour));
  }
  text += '\n';
  for (const std::string &command : report.commands)
    text += command_line(report, command, colour);
  return text;
}

} // namespace mapscope
