// From the ring buffer, the kernel side's counters, and the stages of user space.
#include "report/event_losses.h"

#include <cstddef>

#include "report/verify_words.h"

namespace mapscope {

namespace {

// Indexed by event_kind.
constexpr std::array<std::string_view, EVENT_KIND_COUNT> kKindNames = {"none",
                                                                       "process_exec",
                                                                       "process_exit",
                                                                       "process_fork",
                                                                       "image_entry",
                                                                       "map_operation",
                                                                       "heap_request",
                                                                       "system_call",
                                                                       "system_call_detail",
                                                                       "system_call_result",
                                                                       "io_uring_submit",
                                                                       "stack",
                                                                       "map_misuse"};

} // namespace

std::uint64_t EventLosses::lost_total() const {
  std::uint64_t total = 0;
  for (const NamedLoss &loss : lost)
    total += loss.count;
  return total;
}

EventLosses event_losses(const std::array<event_stats, EVENT_KIND_COUNT> &events,
                         std::span<const __u64, LOSS_COUNT> kernel_lost,
                         const DropCounts &dropped) {
  EventLosses losses;
  std::uint64_t ring_full = 0;
  for (std::size_t kind = 0; kind < EVENT_KIND_COUNT; ++kind) {
    const event_stats &stats = events[kind];
    losses.sent += stats.sent;
    ring_full += stats.lost_ring_full;
    if (stats.sent > 0 || stats.lost_ring_full > 0)
      losses.by_kind.push_back({kKindNames[kind], stats});
  }
  losses.lost.push_back({"ring_full", ring_full});
  for (std::size_t index = 0; index < LOSS_COUNT; ++index)
    if (auto word = word_for(static_cast<loss>(index)); !word.empty())
      losses.lost.push_back({word, kernel_lost[index]});
  for (std::size_t index = 0; index < kDropReasonCount; ++index)
    losses.lost.push_back({name_of(static_cast<DropReason>(index)), dropped[index]});
  return losses;
}

} // namespace mapscope
