// Puts the catalogue of runtime functions and the code of one binary together.
#include "binary/probe_points.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "binary/instruction_spots.h"
#include "binary/probe_catalog.h"
#include "binary/probe_text.h"
#include "bpf/contract/targets.h"

namespace mapscope {
namespace {

constexpr std::string_view kNewMap = "internal/runtime/maps.NewMap";
constexpr std::string_view kMakemap = "runtime.makemap";

Result<Code> code_of(const GoBinary &binary, const FunctionView &function) {
  auto bytes = TRY_WHILE(binary.code(function.range), "reading the code of {}", function.name);
  return Code{binary.elf().machine(), function.range.start, bytes};
}

Result<ProbePoint> probe_point(const GoBinary &binary, const FunctionView &function) {
  auto code = TRY(code_of(binary, function));
  auto spot = TRY(find_entry_spot(code));
  ProbePoint point{
      .function = std::string{function.name},
      .entry = function.range.start,
      .size_bytes = function.range.size_bytes,
      .address = spot.address,
      .offset = TRY(binary.file_offset(spot.address)),
      .expected = std::move(spot.expected),
      .emulated = spot.emulated,
      .on_stack_check = spot.on_stack_check,
      .returns = {},
  };
  for (ElfAddress address : TRY(find_returns(code)))
    point.returns.push_back({address, TRY(binary.file_offset(address))});
  return point;
}

// Absent: the binary has no such function, or none that a probe can safely be put on, and
// then a warning says so.
std::optional<ProbePoint> find_probe_point(const GoBinary &binary, std::string_view name,
                                           BinaryFacts &facts) {
  auto function = binary.find_function(name);
  if (!function)
    return std::nullopt;
  auto point = probe_point(binary, *function);
  if (point)
    return *std::move(point);
  facts.warnings.push_back(
      fmt::format("{} is not probed: its code cannot be read: {}", name, point.error().message()));
  return std::nullopt;
}

void find_operations(const GoBinary &binary, BinaryFacts &facts) {
  for (const OperationFunction &known : operation_functions(facts.map_implementation))
    if (auto point = find_probe_point(binary, known.function, facts))
      facts.operations[known.operation].push_back(*std::move(point));
  for (const HeapRequestFunction &known : heap_request_functions())
    if (auto point = find_probe_point(binary, known.function, facts))
      facts.heap_requests.emplace(known.request, *std::move(point));
  for (std::string_view function : misuse_functions())
    if (auto point = find_probe_point(binary, function, facts))
      facts.misuse.emplace(function, *std::move(point));
  for (std::string_view function : map_write_functions())
    if (auto point = find_probe_point(binary, function, facts))
      facts.map_writes.push_back(*std::move(point));
}

// Copies of what is watched inside one function: where the first instruction of each stands.
void find_inlined_copies(const GoBinary &binary, const FunctionView &function,
                         const std::set<std::string_view> &watched, BinaryFacts &facts) {
  auto calls = binary.inlined_calls(function);
  if (!calls) {
    facts.warnings.push_back(fmt::format("what is inlined into {} is not known: {}", function.name,
                                         calls.error().message()));
    return;
  }
  for (const InlinedCall &call : *calls)
    if (watched.contains(call.name))
      facts.inlined_copies.push_back(
          {std::string{call.name}, std::string{function.name}, call.first_pc});
}

void find_inlined_copies(const GoBinary &binary, BinaryFacts &facts) {
  auto callees = watched_callees(facts.map_implementation);
  std::set<std::string_view> watched(callees.begin(), callees.end());
  for (const OperationFunction &known : operation_functions(facts.map_implementation))
    watched.insert(known.function);
  for (const FunctionView &function : binary.functions())
    if (is_map_writer(function.name) || is_map_front_end(function.name))
      find_inlined_copies(binary, function, watched, facts);
  std::ranges::sort(facts.inlined_copies, {}, &InlinedCopy::address);
}

// makemap passes its arguments on to NewMap in the same registers, so it can stand in for a
// copy of NewMap inside it.
void probe_makemap_for_new_map(const GoBinary &binary, BinaryFacts &facts) {
  bool inlined = std::ranges::any_of(facts.inlined_copies, [](const InlinedCopy &copy) {
    return copy.function == kNewMap && copy.into == kMakemap;
  });
  if (!inlined)
    return;
  if (auto point = find_probe_point(binary, kMakemap, facts))
    facts.operations[MAP_OPERATION_NEW_MAP].push_back(*std::move(point));
}

bool is_probed(const BinaryFacts &facts, std::string_view function) {
  return std::ranges::any_of(facts.operations, [&](const auto &operation) {
    return std::ranges::find(operation.second, function, &ProbePoint::function) !=
           operation.second.end();
  });
}

// A copy inside a function that is probed itself lies in that one's window.
void warn_of_unseen_copies(BinaryFacts &facts) {
  std::set<std::pair<std::string_view, std::string_view>> told;
  for (const InlinedCopy &copy : facts.inlined_copies) {
    auto known = std::ranges::find(operation_functions(facts.map_implementation),
                                   std::string_view{copy.function}, &OperationFunction::function);
    if (known == operation_functions(facts.map_implementation).end() ||
        is_probed(facts, copy.into) || !told.emplace(copy.function, copy.into).second)
      continue;
    facts.warnings.push_back(fmt::format(
        "{} in {} is not seen by a probe: {} is inlined there{}; the stack witness still sees it",
        known->what, copy.into, copy.function,
        facts.uses_pgo ? " by profile-guided optimization" : ""));
  }
}

void find_switch_points(const GoBinary &binary, BinaryFacts &facts) {
  facts.runtime_text = find_runtime_text(binary);
  for (std::string_view name : syscall6_functions())
    if (auto function = binary.find_function(name))
      facts.syscall6 = function->range;
  if (auto function = binary.find_function("runtime.systemstack_switch"))
    facts.systemstack_switch = function->range.start;
  else
    facts.warnings.push_back("runtime.systemstack_switch is missing: calls from the system stack "
                             "cannot be told from others");
}

Result<> find_goroutine_pointer(const GoBinary &binary, BinaryFacts &facts) {
  if (facts.machine != Machine::amd64)
    return {};
  if (auto function = binary.find_function("runtime.stackcheck"))
    facts.tls_offset = find_tls_offset(TRY(code_of(binary, *function)));
  if (!facts.tls_offset)
    facts.warnings.push_back("where a thread keeps its goroutine is not known from the binary: "
                             "system calls made by C code are not attributed");
  return {};
}

} // namespace

Result<> fill_probe_points(const GoBinary &binary, BinaryFacts &facts) {
  facts.map_implementation = find_map_implementation(binary);
  find_operations(binary, facts);
  find_inlined_copies(binary, facts);
  probe_makemap_for_new_map(binary, facts);
  warn_of_unseen_copies(facts);
  facts.map_functions = find_map_functions(binary);
  facts.map_ranges = merge_ranges(facts.map_functions, MAP_RANGES_MAX);
  find_switch_points(binary, facts);
  return find_goroutine_pointer(binary, facts);
}

} // namespace mapscope
