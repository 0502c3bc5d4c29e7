// Which maps come first where not all are shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

#include "flow/map_sample.h"
#include "report/maps_report.h"

namespace mapscope {

enum class MapOrder { reclaimable, bytes, len, slots, fill, resident, tombstones, address, type };

// The order as a number: what has the larger one comes first. `type_rank`: the place of its type in
// the alphabet.
std::uint64_t rank_of(const MapSample &map, MapOrder order,
                      std::optional<std::uint64_t> reclaimable, std::uint64_t type_rank);
// The same of a group; what has no number there is ordered by bytes.
std::uint64_t rank_of(const MapTotals &totals, MapOrder order, std::uint64_t type_rank);

// The best of what is added, as many as are wanted; 0: all.
class BestMaps {
public:
  explicit BestMaps(std::size_t wanted) : wanted_(wanted) {}

  // Among equals, more bytes come first, then what was added first.
  void add(std::uint64_t rank, std::uint64_t bytes, std::size_t index);
  // Indexes in order, the best first.
  std::vector<std::size_t> take();

private:
  using Ranked = std::tuple<std::uint64_t, std::uint64_t, std::size_t>;
  std::size_t wanted_;
  std::priority_queue<Ranked, std::vector<Ranked>, std::greater<>> worst_first_;
};

} // namespace mapscope
