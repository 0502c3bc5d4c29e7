// Ranges in ranges: a probe outside of its function would kill the target.
#include "wire/facts_check.h"

#include <algorithm>

#include "base/user_space.h"

namespace mapscope {
namespace {

bool is_inside(const ElfRange &inner, const ElfRange &outer) {
  const auto distance = inner.start.value - outer.start.value;
  return distance <= outer.size_bytes && inner.size_bytes <= outer.size_bytes - distance;
}

Result<> check_probe(const ProbePoint &point, const BinaryFacts &facts) {
  constexpr std::size_t kInstructionBytesMax = 15;
  const ElfRange function{point.entry, point.size_bytes};
  const bool is_placed =
      is_inside(function, facts.text) && function.contains(point.address) &&
      point.offset.value < facts.file_size_bytes &&
      std::ranges::all_of(
          point.returns,
          [&](const ReturnPoint &ret) {
            return function.contains(ret.address) && ret.offset.value < facts.file_size_bytes;
          });
  if (!is_placed)
    return fail(Errc::malformed, "probe on {}: outside of its function or of the file",
                point.function);
  if (point.expected.empty() || point.expected.size() > kInstructionBytesMax)
    return fail(Errc::malformed, "probe on {}: {} bytes of instruction", point.function,
                point.expected.size());
  return {};
}

// The heap reader adds load biases and offsets to these, and allocates for none of them.
Result<> check_data(const BinaryFacts &facts) {
  auto is_address = [](const ElfAddress &address) { return address.value <= kEndOfUserSpace; };
  const RuntimeVariables &variables = facts.variables;
  for (const ElfAddress &variable :
       {variables.heap, variables.gc_controller, variables.statistics, variables.hash_keys,
        variables.memory_profile_rate, variables.memory_buckets})
    if (!is_address(variable))
      return fail(Errc::malformed, "a variable of the runtime at {:#x}", variable.value);
  auto check = [&](const ElfRange &range) -> Result<> {
    if (!is_address(range.start) || range.size_bytes > kEndOfUserSpace)
      return fail(Errc::malformed, "data at [{:#x}, +{:#x})", range.start.value, range.size_bytes);
    return {};
  };
  for (const ElfRange &range : facts.zeroed_data)
    TRY(check(range));
  return check(facts.types);
}

} // namespace

Result<> check_facts(const BinaryFacts &facts) {
  if (facts.entry_offset.value >= facts.file_size_bytes)
    return fail(Errc::malformed, "the entry point lies outside of the file");
  if (facts.text.start.value + facts.text.size_bytes < facts.text.start.value)
    return fail(Errc::malformed, "text wraps around");
  for (const ElfRange &range : facts.map_ranges)
    if (!is_inside(range, facts.text))
      return fail(Errc::malformed, "a map range lies outside of Go text");
  for (const FunctionRange &function : facts.map_functions)
    if (!is_inside(function.range, facts.text))
      return fail(Errc::malformed, "{} lies outside of Go text", function.function);
  for (const ElfRange &range : {facts.runtime_text, facts.syscall6})
    if (range.size_bytes != 0 && !is_inside(range, facts.text))
      return fail(Errc::malformed, "a range of the runtime lies outside of Go text");
  for (const auto &[operation, points] : facts.operations)
    for (const ProbePoint &point : points)
      TRY(check_probe(point, facts));
  for (const auto &[request, point] : facts.heap_requests)
    TRY(check_probe(point, facts));
  for (const auto &[function, point] : facts.misuse)
    TRY(check_probe(point, facts));
  for (const ProbePoint &point : facts.map_writes)
    TRY(check_probe(point, facts));
  return check_data(facts);
}

} // namespace mapscope
