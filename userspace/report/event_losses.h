// What did not arrive, by the names that all JSON documents share.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/event.h"

namespace mapscope {

struct NamedLoss {
  std::string_view name; // a key of JSON: "ring_full"
  std::uint64_t count = 0;
};

// What was made of one kind of record: sent and lost add up to what occurred.
struct NamedKind {
  std::string_view name; // a key of JSON: "map_operation"
  event_stats stats;
};

struct EventLosses {
  std::uint64_t sent = 0;
  std::vector<NamedLoss> lost;    // every name, also of those that are 0
  std::vector<NamedKind> by_kind; // those that occurred

  std::uint64_t lost_total() const;
};

EventLosses event_losses(const std::array<event_stats, EVENT_KIND_COUNT> &events,
                         std::span<const __u64, LOSS_COUNT> kernel_lost, const DropCounts &dropped);

} // namespace mapscope
