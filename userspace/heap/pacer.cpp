// Two goals, of which the smaller one wins. Go source: runtime/mgcpacer.go, heapGoalInternal and
// memoryLimitHeapGoal.
#include "heap/pacer.h"

#include <algorithm>

namespace mapscope {
namespace {

// What the memory limit leaves to the heap: all but what else the runtime has mapped, what it is
// above the limit already, and some headroom.
std::optional<std::uint64_t> limit_goal(const PacerState &state) {
  constexpr std::uint64_t kHeadroomMin = 1 << 20;
  if (state.free_bytes > state.mapped_bytes ||
      state.allocated_bytes > state.mapped_bytes - state.free_bytes)
    return std::nullopt; // one of them is older than the others
  const std::uint64_t others = state.mapped_bytes - state.free_bytes - state.allocated_bytes;
  const std::uint64_t excess = state.mapped_bytes - std::min(state.mapped_bytes, state.limit_bytes);
  if (others >= state.limit_bytes || excess >= state.limit_bytes - others)
    return state.marked_bytes;
  const std::uint64_t room = state.limit_bytes - others - excess;
  const std::uint64_t headroom =
      state.has_proportional_headroom ? std::max(room / 100 * 3, kHeadroomMin) : kHeadroomMin;
  const std::uint64_t goal = std::max(room - std::min(room, headroom), headroom);
  return std::max(goal, state.marked_bytes);
}

} // namespace

std::optional<std::uint64_t> heap_goal(const PacerState &state) {
  constexpr std::uint64_t kRunwayMin = 64 << 10; // between the start of a collection and its end
  if (state.limit_bytes != kNoLimit) {
    const auto goal = limit_goal(state);
    if (!goal || *goal < state.percent_goal_bytes)
      return goal;
  }
  if (state.percent_goal_bytes == kNoGoal)
    return std::nullopt;
  std::uint64_t goal = std::max(state.percent_goal_bytes, state.sweep_trigger_bytes);
  if (state.triggered_bytes != kNoGoal)
    goal = std::max(goal, state.triggered_bytes + kRunwayMin);
  return goal;
}

} // namespace mapscope
