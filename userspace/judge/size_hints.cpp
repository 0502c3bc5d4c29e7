// Powers of two of slots, since that is what a hint is rounded up to.
#include "judge/size_hints.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace mapscope {

namespace {

// Nobody's map has more slots; what says so is broken.
constexpr std::uint32_t kSlotsLog2Max = 40;

constexpr std::uint64_t kGrowthsOfEachMin = 2; // fewer are not worth a word

std::optional<std::uint32_t> slots_log2_after(const MapChange &change) {
  std::optional<std::uint32_t> log2;
  if (change.slots_after && *change.slots_after > 0)
    log2 = static_cast<std::uint32_t>(std::bit_width(*change.slots_after - 1));
  else if (change.len) // at least one more entry came
    for (log2 = 3; *log2 <= kSlotsLog2Max; ++*log2)
      if (entries_in(*log2, is_classic(change.operation)) > *change.len)
        break;
  return log2 && *log2 <= kSlotsLog2Max ? log2 : std::nullopt;
}

// Slots that the growth made anew: a whole classic map, or a swiss table twice as large, which
// for a split is two.
std::optional<std::uint64_t> slots_made(const MapChange &change) {
  return change.table_slots_before ? std::optional{*change.table_slots_before * 2}
                                   : change.slots_after;
}

} // namespace

bool is_classic(map_operation operation) { return operation == MAP_OPERATION_HASH_GROW; }

std::uint64_t entries_in(std::uint32_t slots_log2, bool classic) {
  std::uint64_t slots = std::uint64_t{1} << slots_log2;
  return classic ? slots / 8 * 6 : slots / 8 * 7;
}

void GrownMap::add(const MapChange &change) {
  ++growths;
  bytes += change.bytes.value_or(0);
  slots_log2 = slots_log2_after(change);
  auto made = slots_made(change);
  if (!change.bytes || !made || *made == 0) {
    ++growths_without_bytes;
    return;
  }
  if (slots_log2)
    at_once_bytes = static_cast<std::uint64_t>(
        std::min(std::ldexp(static_cast<double>(*change.bytes) / static_cast<double>(*made),
                            static_cast<int>(*slots_log2)),
                 std::ldexp(1.0, 62)));
}

void SizeHints::change(const GrownMap &map, bool add) {
  auto apply = [add](std::uint64_t &total, std::uint64_t value) {
    total = add ? total + value : total - value;
  };
  if (!map.slots_log2)
    return apply(maps_without_size_, 1);
  if (*map.slots_log2 >= sizes_.size())
    sizes_.resize(*map.slots_log2 + 1);
  Size &size = sizes_[*map.slots_log2];
  apply(size.maps, 1);
  apply(size.growths, map.growths);
  apply(size.bytes, map.bytes);
  apply(size.growths_without_bytes, map.growths_without_bytes);
  apply(size.at_once_bytes, map.at_once_bytes);
}

std::uint64_t SizeHints::maps() const {
  std::uint64_t total = maps_without_size_;
  for (const Size &size : sizes_)
    total += size.maps;
  return total;
}

std::optional<SizeHint> SizeHints::best(bool classic) const {
  const std::uint64_t all = maps();
  SizeHint best;
  double bytes = 0;         // that the growths asked for
  double at_once_bytes = 0; // that hinted maps would ask for: all of them the largest size so far
  std::uint64_t without_bytes = 0;
  std::uint32_t log2 = 0;
  for (; log2 < sizes_.size() && (best.maps == 0 || best.maps < all - all / 10); ++log2) {
    const Size &size = sizes_[log2];
    best.maps += size.maps;
    best.growths += size.growths;
    without_bytes += size.growths_without_bytes;
    bytes += static_cast<double>(size.bytes);
    at_once_bytes = at_once_bytes * 2 + static_cast<double>(size.at_once_bytes);
  }
  if (best.maps == 0 || best.maps < all - all / 10 || best.growths < kGrowthsOfEachMin * best.maps)
    return std::nullopt;
  if (without_bytes == 0) {
    if (bytes <= at_once_bytes)
      return std::nullopt;
    best.bytes = static_cast<std::uint64_t>(bytes - at_once_bytes);
  }
  best.hint = entries_in(log2 - 1, classic);
  best.slots = std::uint64_t{1} << (log2 - 1);
  return best;
}

} // namespace mapscope
