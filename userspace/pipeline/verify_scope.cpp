// What a plan covers; see verify_scope.h.
#include "pipeline/verify_scope.h"

#include <algorithm>

namespace mapscope {

VerifyScope scope_of(const BinaryFacts &facts, const ProbePlan &plan, const ProbeChoice &choice) {
  VerifyScope scope;
  scope.windows = choice.opens_windows();
  scope.outside_refined = true;
  auto is_whole = [&facts](std::string_view function) {
    return std::ranges::find(facts.inlined_copies, function, &InlinedCopy::function) ==
           facts.inlined_copies.end();
  };
  for (const PlannedProbe &probe : plan.probes) {
    if (probe.kind == ProbeKind::map_operation && is_whole(probe.function))
      scope.covered_operations.set(probe.subject);
    else if (probe.kind == ProbeKind::heap_request)
      scope.covered_heap.set(probe.subject);
  }
  // What the binary has no function for cannot happen, unless all of it was inlined.
  for (std::size_t operation = 0; operation < MAP_OPERATION_COUNT; ++operation)
    if (facts.inlined_copies.empty() &&
        !facts.operations.contains(static_cast<map_operation>(operation)))
      scope.covered_operations.set(operation);
  return scope;
}

} // namespace mapscope
