// One look at the object graph of a process: its spans as they were when it began, its roots, and
// the walk from these, in the order that decides who owns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "heap/owners/graph_walk.h"
#include "heap/owners/owner_roots.h"
#include "heap/owners/owners.h"

namespace mapscope {

class GraphPass {
public:
  // Reads the spans. `types`: of the process; `patterns`: of an earlier pass, or none. Errors:
  // unsupported (layout not known), as take_census().
  static Result<std::unique_ptr<GraphPass>> prepare(AddressSpace &space,
                                                    const OwnerContext &context,
                                                    const GoTypes &types, OwnerPatterns patterns);

  // From all roots to all maps (addresses on the heap, ascending). Errors: as AddressSpace::read.
  Result<> walk(std::span<const std::uint64_t> maps, const OwnerLimits &limits);
  // More of it, from values that have become known since.
  Result<> follow(std::span<const GraphRoot> roots) { return walk_->follow(roots); }
  // All that the collector would find, and that says nothing of owners. For after all else: what is
  // not reached then is garbage.
  Result<> follow_to_the_end();

  const GraphWalk &graph() const { return *walk_; }
  const HeapLayout &layout() const { return layout_; }
  const SpanTable &spans() const { return spans_; }
  OwnerPatterns &patterns() { return patterns_; }
  const GoTypes &types() const { return types_.types(); }

  // Every root was read, and followed to the end: what was not reached, nothing led to.
  bool is_complete() const { return incomplete_because().empty() && goroutines_left_out() == 0; }
  // A sentence; empty: but for goroutines, it is complete.
  std::string incomplete_because() const;
  std::uint64_t goroutines_left_out() const {
    return stacks_ ? stacks_->left_out_count : std::uint64_t{0};
  }
  // The pattern that begins at the frame which that address on a stack lies in; kNone: in none.
  std::uint32_t pattern_on_stack(std::uint64_t address) const;

  // Names functions of closures on paths. Errors: as Symbolizer::symbolize.
  Result<> name_functions();

private:
  GraphPass(AddressSpace &space, const OwnerContext &context, const GoTypes &types,
            OwnerPatterns &&patterns, const HeapLayout &layout, SpanTable &&spans);

  Result<> follow_all();
  Result<> read_stacks(RootLists &lists);
  Result<> read_finalizers(RootLists &lists);
  std::uint64_t heap_bytes() const;

  AddressSpace &space_;
  OwnerContext context_;
  HeapLayout layout_;
  SpanTable spans_;
  OwnerPatterns patterns_;
  DynamicTypes types_;
  RootReader roots_;
  std::vector<ProcessRange> data_;
  std::optional<StackRoots> stacks_;
  std::vector<std::string> left_out_;
  std::unique_ptr<GraphWalk> walk_;
};

} // namespace mapscope
