// What a plan covers; see verify_scope.h.
#include "pipeline/verify_scope.h"

#include <algorithm>

#include "binary/probe_catalog.h"

namespace mapscope {
namespace {

bool is_probed(const ProbePlan &plan, map_operation operation, std::string_view function) {
  return std::ranges::any_of(plan.probes, [&](const PlannedProbe &probe) {
    return probe.kind == ProbeKind::map_operation && probe.subject == operation &&
           probe.function == function;
  });
}

// A copy that stands in a function that is probed in its place is seen there.
bool has_unseen_copy(const BinaryFacts &facts, const ProbePlan &plan,
                     const OperationFunction &known) {
  return std::ranges::any_of(facts.inlined_copies, [&](const InlinedCopy &copy) {
    return copy.function == known.function && !is_probed(plan, known.operation, copy.into);
  });
}

} // namespace

VerifyScope scope_of(const BinaryFacts &facts, const ProbePlan &plan, const ProbeChoice &choice) {
  VerifyScope scope;
  scope.windows = choice.opens_windows();
  scope.outside_refined = true;
  for (const PlannedProbe &probe : plan.probes) {
    if (probe.kind == ProbeKind::map_operation)
      scope.covered_operations.set(probe.subject);
    else if (probe.kind == ProbeKind::heap_request)
      scope.covered_heap.set(probe.subject);
  }
  // What the binary has no function for cannot happen, unless all of it was inlined.
  for (std::size_t operation = 0; operation < MAP_OPERATION_COUNT; ++operation)
    if (!facts.operations.contains(static_cast<map_operation>(operation)))
      scope.covered_operations.set(operation);
  for (const OperationFunction &known : operation_functions(facts.map_implementation))
    if (has_unseen_copy(facts, plan, known))
      scope.covered_operations.reset(known.operation);
  return scope;
}

} // namespace mapscope
