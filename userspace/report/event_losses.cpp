// From the ring buffer, the kernel side's counters, and the stages of user space.
#include "report/event_losses.h"

#include <cstddef>

#include "report/verify_words.h"

namespace mapscope {

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
  for (const event_stats &stats : events) {
    losses.sent += stats.sent;
    ring_full += stats.lost_ring_full;
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
