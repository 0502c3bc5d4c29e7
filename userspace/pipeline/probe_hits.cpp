// Sums; see probe_hits.h.
#include "pipeline/probe_hits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

namespace mapscope {

// All members of target_counts are counters of 64 bits.
target_counts sum_of(const target_counts &left, const target_counts &right) {
  using Words = std::array<std::uint64_t, sizeof(target_counts) / sizeof(std::uint64_t)>;
  auto words = std::bit_cast<Words>(left);
  std::ranges::transform(words, std::bit_cast<Words>(right), words.begin(), std::plus{});
  return std::bit_cast<target_counts>(words);
}

std::uint64_t hits_of(const target_counts &counts) {
  std::uint64_t hits = counts.heap_grown_count[0] + counts.heap_grown_count[1] +
                       counts.large_allocation_count[0] + counts.large_allocation_count[1];
  for (std::uint64_t operations : counts.operations)
    hits += operations;
  return hits;
}

} // namespace mapscope
