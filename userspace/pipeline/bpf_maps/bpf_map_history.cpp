// Bounded: so many maps, so many looks of each, none older than an hour.
#include "pipeline/bpf_maps/bpf_map_history.h"

#include <unordered_set>
#include <utility>
#include <vector>

namespace mapscope {

std::optional<BpfTimeToFull> BpfMapHistory::add(std::uint64_t time_ns, const BpfMapSample &map) {
  // Where a share of max_entries has no meaning, being full has none. An estimate from a sample
  // moves by its own error, and that would be told as growth.
  const BpfMapFill &fill = map.fill;
  const bool is_exact = fill.method == BpfMethod::counted || fill.method == BpfMethod::walked;
  if (!fill.entries || !fill.fill || !is_exact)
    return std::nullopt;
  auto found = maps_.find(map.facts.id);
  if (found == maps_.end()) {
    if (maps_.size() >= kMapsMax) {
      ++left_out_now_;
      return std::nullopt;
    }
    found = maps_.try_emplace(map.facts.id).first;
  }
  Counts &kept = found->second;
  const bool is_another = std::pair{kept.type_number, kept.max_entries} !=
                          std::pair{map.facts.type_number, map.facts.max_entries};
  if (is_another)
    kept = {.type_number = map.facts.type_number, .max_entries = map.facts.max_entries};
  kept.counts.push_back({.time_ns = time_ns, .entries = static_cast<double>(*fill.entries)});
  while (kept.counts.size() > kLooksMax || time_ns - kept.counts.front().time_ns > kAgeMaxNs)
    kept.counts.pop_front();
  const std::vector<CountAt> counts{kept.counts.begin(), kept.counts.end()};
  return time_to_full(counts, map.facts.max_entries);
}

void BpfMapHistory::forget_others(const BpfMapsLook &look) {
  std::unordered_set<std::uint32_t> there;
  for (const BpfMapSample &map : look.maps)
    there.insert(map.facts.id);
  std::erase_if(maps_, [&](const auto &it) { return !there.contains(it.first); });
  left_out_ = std::exchange(left_out_now_, 0);
}

} // namespace mapscope
