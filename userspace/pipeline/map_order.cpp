// A heap of the best that there were so far, the worst of them on top.
#include "pipeline/map_order.h"

#include <algorithm>

namespace mapscope {

std::uint64_t rank_of(const MapSample &map, MapOrder order,
                      std::optional<std::uint64_t> reclaimable, std::uint64_t type_rank) {
  constexpr std::uint64_t kFillSteps = 1 << 20;
  switch (order) {
  case MapOrder::reclaimable:
    return reclaimable.value_or(0);
  case MapOrder::bytes:
    return map.bytes.total();
  case MapOrder::len:
    return map.len;
  case MapOrder::slots:
    return map.slots;
  case MapOrder::fill:
    return map.slots == 0 ? 0 : UINT64_MAX - map.len * kFillSteps / map.slots;
  case MapOrder::resident:
    return map.resident_bytes;
  case MapOrder::tombstones:
    return map.tombstones;
  case MapOrder::address:
    return UINT64_MAX - map.address.value;
  case MapOrder::type:
    return UINT64_MAX - type_rank;
  }
  return 0;
}

std::uint64_t rank_of(const MapTotals &totals, MapOrder order, std::uint64_t type_rank) {
  switch (order) {
  case MapOrder::reclaimable:
    return totals.reclaimable_bytes;
  case MapOrder::len:
    return totals.entries;
  case MapOrder::slots:
    return totals.slots;
  case MapOrder::resident:
    return totals.resident_bytes.value_or(0);
  case MapOrder::type:
    return UINT64_MAX - type_rank;
  default:
    return totals.bytes;
  }
}

void BestMaps::add(std::uint64_t rank, std::uint64_t bytes, std::size_t index) {
  worst_first_.push({rank, bytes, ~index});
  if (wanted_ != 0 && worst_first_.size() > wanted_)
    worst_first_.pop();
}

std::vector<std::size_t> BestMaps::take() {
  std::vector<std::size_t> indexes;
  for (; !worst_first_.empty(); worst_first_.pop())
    indexes.push_back(~std::get<2>(worst_first_.top()));
  std::ranges::reverse(indexes);
  return indexes;
}

} // namespace mapscope
