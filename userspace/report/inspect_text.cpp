// Rows of a label and what is known, then the table of probe points.
#include "report/inspect_text.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/format.h"
#include "flow/operation_names.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

class Screen {
public:
  explicit Screen(bool colour) : colour_(colour) {}

  void row(std::string_view label, std::string_view text) {
    line("{} {}", coloured(fmt::format("{:<12}", label), Colour::dim, colour_), text);
  }
  template <typename... Args> void line(fmt::format_string<Args...> format, Args &&...args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  std::string mark(std::string_view text, Colour colour) const {
    return coloured(text, colour, colour_);
  }
  std::string take() { return std::move(text_); }

private:
  bool colour_;
  std::string text_;
};

std::string describe_linking(const BinaryFacts &facts) {
  std::vector<std::string_view> parts{
      facts.machine == Machine::amd64 ? "x86-64" : "AArch64",
      facts.is_pie ? "position independent" : "fixed addresses",
      facts.uses_cgo ? "linked with C code (cgo)" : "no C code",
      facts.is_stripped ? "stripped" : "symbols",
      facts.has_dwarf ? "DWARF" : "no DWARF",
  };
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string describe_toolchain(const BinaryFacts &facts) {
  std::string text = facts.go_version;
  if (!facts.experiments.empty())
    text += fmt::format(", experiments {}", fmt::join(facts.experiments, ", "));
  if (facts.uses_pgo)
    text += ", with a profile (PGO): map functions may be inlined";
  return text;
}

std::string_view describe_maps(MapImplementation implementation) {
  switch (implementation) {
  case MapImplementation::classic:
    return "classic: buckets of eight with overflow chains";
  case MapImplementation::swiss:
    return "swiss: tables of groups with control words";
  case MapImplementation::none:
    break;
  }
  return "none: no map function that mapscope knows";
}

std::string describe_layout(const RuntimeLayout &layout) {
  const auto count = format_counted(layout.offsets.size(), "offset");
  switch (layout.source) {
  case LayoutSource::dwarf:
    return fmt::format("{} from the DWARF of this binary", count);
  case LayoutSource::table:
    return fmt::format("{} measured from {}", count, layout.version);
  case LayoutSource::nearest:
    return fmt::format("{} measured from {}, the nearest patch release", count, layout.version);
  case LayoutSource::none:
    break;
  }
  return "not known for this version";
}

// What a census reads beside the maps themselves. It finds the heap without its address, too.
std::string describe_heap(const BinaryFacts &facts) {
  const std::pair<std::string_view, ElfAddress> variables[] = {
      {"spans", facts.variables.heap},
      {"pacer", facts.variables.gc_controller},
      {"counters", facts.variables.statistics},
      {"hash keys", facts.variables.hash_keys},
      {"types", facts.types.size_bytes == 0 ? ElfAddress{} : facts.types.start}};
  std::vector<std::string_view> known, unknown;
  for (const auto &[name, address] : variables)
    (address.value == 0 ? unknown : known).push_back(name);
  std::string text = known.empty() ? "nothing" : fmt::format("{}", fmt::join(known, ", "));
  text += " found";
  if (!unknown.empty())
    text += fmt::format("; not found: {}", fmt::join(unknown, ", "));
  return text;
}

void add_identity(const BinaryFacts &facts, Screen &screen) {
  screen.line("{}", screen.mark(facts.path, Colour::bold));
  if (!facts.main_module.empty())
    screen.row("program", facts.main_module);
  screen.row("toolchain", describe_toolchain(facts));
  screen.row("linking", describe_linking(facts));
  screen.row("size", fmt::format("{}, {}", format_bytes(facts.file_size_bytes),
                                 format_counted(facts.function_count, "function")));
  screen.row("build id", facts.build_id.empty() ? "none" : facts.build_id);
  screen.row("maps", describe_maps(facts.map_implementation));
  screen.row("layout", describe_layout(facts.layout));
  screen.row("heap", describe_heap(facts));
}

void add_probe(std::string_view tells, const ProbePoint &point, Screen &screen) {
  screen.line("{:<14} {:#14x}  {:<12} {:>7}  {}", tells, point.address.value,
              point.emulated ? "emulated" : "single-step", point.returns.size(), point.function);
}

void add_probes(const BinaryFacts &facts, Screen &screen) {
  screen.line("\n{}", screen.mark(fmt::format("{:<14} {:>14}  {:<12} {:>7}  {}", "PROBE", "ADDRESS",
                                              "INSTRUCTION", "RETURNS", "FUNCTION"),
                                  Colour::dim));
  for (auto [operation, name] : kMapOperationNames)
    if (auto found = facts.operations.find(operation); found != facts.operations.end())
      for (const ProbePoint &point : found->second)
        add_probe(name, point, screen);
  for (auto [request, name] : kHeapRequestNames)
    if (auto found = facts.heap_requests.find(request); found != facts.heap_requests.end())
      add_probe(fmt::format("heap_{}", name), found->second, screen);
  for (const auto &[function, point] : facts.misuse)
    add_probe("misuse", point, screen);
  for (const ProbePoint &point : facts.map_writes)
    add_probe("write", point, screen);
}

// Copies that the compiler put into other functions, where a probe would have to go as well.
void add_inlined_copies(const BinaryFacts &facts, Screen &screen) {
  if (facts.inlined_copies.empty())
    return;
  screen.line("\n{}", screen.mark("INLINED COPIES (a probe on the function does not see them)",
                                  Colour::dim));
  for (const InlinedCopy &copy : facts.inlined_copies)
    screen.line("{:#14x}  {} in {}", copy.address.value, copy.function, copy.into);
}

void add_warnings(const BinaryFacts &facts, Screen &screen) {
  if (facts.warnings.empty())
    return;
  screen.line("");
  for (const std::string &warning : facts.warnings)
    screen.line("{} {}", screen.mark("warning:", Colour::yellow), warning);
}

} // namespace

std::string inspect_text(const BinaryFacts &facts, bool colour) {
  Screen screen{colour};
  add_identity(facts, screen);
  add_probes(facts, screen);
  add_inlined_copies(facts, screen);
  add_warnings(facts, screen);
  return screen.take();
}

std::string inspect_functions_text(const BinaryFacts &facts) {
  std::string text;
  for (const FunctionRange &function : facts.map_functions)
    fmt::format_to(std::back_inserter(text), "{:#14x} {:>6}  {}\n", function.range.start.value,
                   function.range.size_bytes, function.function);
  return text;
}

} // namespace mapscope
