// Inverts the rounding to size classes.
#include "heap/group_size.h"

#include <algorithm>

namespace mapscope {
namespace {

// The largest object that takes less of the heap than this one; its slot, without header.
std::uint64_t next_smaller(const HeapObject &array) {
  if (array.size_bytes > kSizeClasses.back())
    return std::max<std::uint64_t>(array.size_bytes - kGoPageBytes, kSizeClasses.back());
  auto size_class = std::ranges::lower_bound(kSizeClasses, array.size_bytes);
  return size_class == kSizeClasses.begin() ? 0 : *std::prev(size_class);
}

} // namespace

GroupSizes possible_group_sizes(const HeapObject &array, std::uint64_t count) {
  if (count == 0 || count > array.size_bytes)
    return {};
  std::uint64_t bytes_max = array.data_bytes();
  std::uint64_t too_small = next_smaller(array);
  if (array.has_malloc_header)
    too_small = std::max(too_small - kMallocHeaderBytes, kHeaderlessBytesMax);
  // A large object is what did not fit the largest class together with its header.
  if (array.size_bytes > kSizeClasses.back() && too_small == kSizeClasses.back())
    too_small -= kMallocHeaderBytes;
  std::uint64_t first = (too_small / count + 1 + 7) & ~std::uint64_t{7};
  std::uint64_t last = bytes_max / count & ~std::uint64_t{7};
  return {static_cast<std::uint32_t>(
              std::clamp<std::uint64_t>(first, kGroupBytesMin, kGroupBytesMax + 8)),
          static_cast<std::uint32_t>(std::min<std::uint64_t>(last, kGroupBytesMax))};
}

} // namespace mapscope
