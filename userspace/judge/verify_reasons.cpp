// One sentence for each way of missing something, with what to do where something can be done.
#include "judge/verify_reasons.h"

#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "base/format.h"

namespace mapscope {

namespace {

struct LossText {
  loss which;
  std::string_view noun;     // what was counted
  std::string_view sentence; // with a place for the count
};

// LOSS_STACK_UNREADABLE is not here: it takes frames from a report, and the place of the call
// was decided without them.
constexpr LossText kLosses[] = {
    {LOSS_GOROUTINE_UNREADABLE, "system call",
     "The goroutine could not be read at {}: whether they were inside a map operation is open."},
    {LOSS_WINDOW_UNREADABLE, "map operation",
     "The stack could not be read at the start of {}, which have no window."},
    {LOSS_WINDOW_TABLE_FULL, "map operation",
     "The table of windows was full at the start of {}, which have no window."},
    {LOSS_PENDING_TABLE_FULL, "system call",
     "The table of calls under way was full at {}: their results are missing."},
    {LOSS_TLS_MISMATCH, "system call",
     "The offset of g in thread-local storage is wrong, as seen at {}: calls made by C code cannot "
     "be given to a goroutine."},
    {LOSS_TARGET_TABLE_FULL, "fork",
     "The table of processes was full at {}: those children were not watched."},
};

// Indexed by DropReason.
constexpr std::array<std::string_view, kDropReasonCount> kDrops = {
    "{} had contents that break the format, and counted for nothing: mapscope's programs and its "
    "user space disagree.",
    "{} came for a process that was forgotten already.",
    "{} were dropped because a stage of mapscope was too slow.",
    "{} came for calls whose own record was lost.",
};

} // namespace

std::vector<std::string> loss_reasons(const VerifyCounts &counts) {
  std::vector<std::string> reasons;
  std::uint64_t ring_full = std::accumulate(
      counts.events.begin(), counts.events.end(), std::uint64_t{0},
      [](std::uint64_t sum, const event_stats &stats) { return sum + stats.lost_ring_full; });
  if (ring_full > 0)
    reasons.push_back(fmt::format("The ring buffer was full: {} lost. --buffer gives it more room.",
                                  format_counted(ring_full, "event")));
  for (const LossText &text : kLosses)
    if (std::uint64_t count = counts.kernel.lost[text.which]; count > 0)
      reasons.push_back(fmt::format(fmt::runtime(text.sentence), format_counted(count, text.noun)));
  for (std::size_t reason = 0; reason < kDropReasonCount; ++reason)
    if (counts.dropped[reason] > 0)
      reasons.push_back(fmt::format(fmt::runtime(kDrops[reason]),
                                    format_counted(counts.dropped[reason], "record")));
  return reasons;
}

std::vector<std::string> coverage_reasons(const OperationTotals &operations,
                                          const VerifyScope &scope) {
  if (operations.observed > 0)
    return {};
  if (scope.covered_operations.none())
    return {"No map operation could be observed, since no probe is on one."};
  if (!scope.windows)
    return {"No map operation was observed: --light probes only the rarest growth (of swiss maps, "
            "beyond 1,024 slots). Run without --light, or for longer."};
  return {"No map operation was observed: the target made and grew no map that calls the runtime "
          "while it was watched. Run for longer, or give it work."};
}

} // namespace mapscope
