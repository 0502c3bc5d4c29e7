// Follows the allocating functions of the runtime, step by step.
#include "go/map_rules.h"

#include <algorithm>
#include <bit>

#include "go/size_classes.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kTableBytes = 32;    // internal/runtime/maps.table
constexpr std::uint64_t kMapextraBytes = 24; // runtime.mapextra
constexpr unsigned kSpareBucketsFrom = 4;    // makeBucketArray: B from which on it adds some
constexpr std::uint64_t kGroupLoadMax = 7;   // maxAvgGroupLoad: of eight slots
// The runtime drops a hint whose memory exceeds its address space of 2^48. No group is larger
// than 4 KiB, since keys and elements above 128 bytes lie elsewhere; so up to here it does not.
constexpr std::uint64_t kHintMax = std::uint64_t{1} << 32;
constexpr std::uint64_t kGroupBytesMax = 4096;

} // namespace

MapRules::MapRules(const BinaryFacts &facts)
    : is_classic_(facts.map_implementation == MapImplementation::classic),
      has_malloc_headers_(facts.version >= GoVersion{1, 22}),
      // 1.21 divides before it multiplies: 8 * 13 / 16 is 6.
      half_load_factor_(facts.version.major == 1 && facts.version.minor == 21 ? 12 : 13),
      // 1.24 added clearSeq to the classic header.
      header_bytes_(is_classic_ && facts.version >= GoVersion{1, 24} ? 56 : 48) {}

std::uint64_t MapRules::object_bytes(std::uint64_t size_bytes) const {
  return heap_bytes(size_bytes, true, has_malloc_headers_);
}

std::optional<CreatedMap> MapRules::creation(std::uint64_t hint, bool header_is_on_heap) const {
  if (hint > kHintMax)
    return std::nullopt;
  CreatedMap map;
  if (header_is_on_heap)
    map.allocation.fixed_bytes = object_bytes(header_bytes_);
  if (hint <= kSlotsOfGroup)
    return map; // the first group or bucket comes with the first entry

  if (is_classic_) {
    unsigned log_buckets = 0;
    while (is_over_load_factor(hint, log_buckets))
      ++log_buckets;
    if (log_buckets == 0)
      return map;
    Allocation buckets = bucket_growth(log_buckets, false);
    map.slots = kSlotsOfGroup << log_buckets;
    buckets.fixed_bytes += map.allocation.fixed_bytes;
    map.allocation = buckets;
    return map;
  }
  std::uint64_t target = hint * kSlotsOfGroup / kGroupLoadMax;
  std::uint64_t tables = std::bit_ceil((target + kTableSlotsMax - 1) / kTableSlotsMax);
  std::uint64_t slots = std::bit_ceil(std::max(target / tables, kSlotsOfGroup));
  map.slots = tables * slots;
  map.tables = tables;
  map.allocation.fixed_bytes += directory_bytes(tables) + tables * object_bytes(kTableBytes);
  map.allocation.array_count = tables;
  map.allocation.groups_of_array = slots / kSlotsOfGroup;
  return map;
}

bool MapRules::is_over_load_factor(std::uint64_t len, unsigned log_buckets) const {
  return len > kSlotsOfGroup && len > half_load_factor_ * ((std::uint64_t{1} << log_buckets) / 2);
}

bool MapRules::has_spare_buckets(unsigned log_buckets) { return log_buckets >= kSpareBucketsFrom; }

Allocation MapRules::bucket_growth(unsigned log_buckets, bool has_extra) const {
  bool makes_extra = has_spare_buckets(log_buckets) && !has_extra;
  return {.fixed_bytes = makes_extra ? object_bytes(kMapextraBytes) : 0,
          .array_count = 1,
          .groups_of_array = std::uint64_t{1} << log_buckets};
}

Allocation MapRules::first_table() const {
  Allocation allocation = table_growth(2 * kSlotsOfGroup);
  allocation.fixed_bytes += directory_bytes(1);
  return allocation;
}

Allocation MapRules::table_growth(std::uint64_t slots) const {
  return {.fixed_bytes = object_bytes(kTableBytes),
          .array_count = 1,
          .groups_of_array = slots / kSlotsOfGroup};
}

Allocation MapRules::table_split(std::uint64_t doubled_directory_len) const {
  return {.fixed_bytes = 2 * object_bytes(kTableBytes) + directory_bytes(doubled_directory_len),
          .array_count = 2,
          .groups_of_array = kTableSlotsMax / kSlotsOfGroup};
}

Allocation MapRules::clone(std::uint64_t slots, bool has_table) const {
  Allocation allocation{.fixed_bytes = object_bytes(header_bytes_),
                        .array_count = slots == 0 ? 0U : 1U,
                        .groups_of_array = slots / kSlotsOfGroup};
  if (has_table)
    allocation.fixed_bytes += object_bytes(kTableBytes) + directory_bytes(1);
  return allocation;
}

std::optional<std::uint64_t> MapRules::bytes(const Allocation &allocation,
                                             const MapType *type) const {
  if (allocation.array_count == 0)
    return allocation.fixed_bytes;
  if (type == nullptr || type->group_bytes == 0 || type->group_bytes > kGroupBytesMax ||
      allocation.groups_of_array > kHeapBytesMax / kGroupBytesMax)
    return std::nullopt;
  std::uint64_t groups = allocation.groups_of_array;
  bool has_pointers = type->group_has_pointers;
  if (is_classic_ && groups >= std::uint64_t{1} << kSpareBucketsFrom) {
    groups += groups >> kSpareBucketsFrom;
    groups = rounded_up_bytes(groups * type->group_bytes, has_pointers, has_malloc_headers_) /
             type->group_bytes;
  }
  return allocation.fixed_bytes + allocation.array_count * heap_bytes(groups * type->group_bytes,
                                                                      has_pointers,
                                                                      has_malloc_headers_);
}

} // namespace mapscope
