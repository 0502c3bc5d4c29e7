// The goal of the garbage collector, as the runtime derives it from its counters.
#pragma once

#include <cstdint>
#include <optional>

namespace mapscope {

// Of runtime.gcController, Go 1.19 on. Go source: runtime/mgcpacer.go, gcControllerState.
struct PacerState {
  std::uint64_t percent_goal_bytes = 0;              // of GOGC alone; kNoGoal: GOGC=off
  std::uint64_t limit_bytes = 0;                     // GOMEMLIMIT; kNoLimit: none
  std::uint64_t marked_bytes = 0;                    // by the last collection
  std::uint64_t allocated_bytes = 0, free_bytes = 0; // of the heap; free: not given back
  std::uint64_t mapped_bytes = 0;        // all of the runtime's, but what was given back
  std::uint64_t sweep_trigger_bytes = 0; // no collection starts before
  std::uint64_t triggered_bytes = 0;     // heap at the start of this one; kNoGoal: none
  bool has_proportional_headroom = true; // from Go 1.21 on
};

inline constexpr std::uint64_t kNoGoal = ~std::uint64_t{0};
inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0} >> 1;

// The heap at which the next collection wants to end. Nothing where there is none, or where the
// counters contradict each other, as they may for a moment.
std::optional<std::uint64_t> heap_goal(const PacerState &state);

} // namespace mapscope
