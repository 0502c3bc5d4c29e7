// The kernel's sums, saturating; see bpf_map_memory.h.
#include "vet/bpf_map_memory.h"

#include <bit>
#include <limits>

#include "vet/bpf_map_types.h"

namespace mapscope {
namespace {

// struct htab_elem, struct bucket, struct lpm_trie_node, struct stack_map_bucket,
// struct bpf_dtab_netdev and struct bpf_shtab_elem without their flexible ends.
constexpr std::uint64_t kHashElement = 48, kHashBucket = 16, kTrieNode = 40, kStackBucket = 16,
                        kDeviceElement = 80, kSocketElement = 48, kPointer = 8, kPage = 4096;

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::uint64_t>::max()
                                                : product;
}

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::uint64_t>::max() : sum;
}

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 7) / 8 * 8; }

// What is declared, with absent figures as 0.
struct DeclaredSizes {
  std::uint64_t entries, key, value;
};

// kernel/bpf/hashtab.c: htab_map_alloc, prealloc_init.
BpfMapCost hash_cost(const BpfDeclaredMap &map, BpfMapType type, const DeclaredSizes &sizes,
                     std::uint32_t cpus) {
  const bool is_lru = type == BpfMapType::lru_hash || type == BpfMapType::lru_percpu_hash;
  const bool per_cpu = is_per_cpu(map);
  const std::uint64_t buckets = times(std::bit_ceil(sizes.entries), kHashBucket);
  const std::uint64_t held = per_cpu ? kPointer : aligned(sizes.value);
  std::uint64_t element = plus(kHashElement + aligned(sizes.key), held);
  if (per_cpu)
    element = plus(element, times(aligned(sizes.value), cpus));
  // Spare elements, one a CPU, so that an update can replace one while it is read.
  const bool is_preallocated = is_lru || is_preallocated_hash(map);
  const std::uint64_t spare = is_preallocated && !is_lru && !per_cpu ? cpus : 0;
  const std::uint64_t full = plus(buckets, times(element, sizes.entries + spare));
  return {.at_load_bytes = is_preallocated ? full : buckets, .full_bytes = full};
}

BpfMapCost table_cost(std::uint64_t bytes) { return {.at_load_bytes = bytes, .full_bytes = bytes}; }

BpfMapCost growing_cost(std::uint64_t at_load, std::uint64_t entries, std::uint64_t entry_bytes) {
  return {.at_load_bytes = at_load, .full_bytes = plus(at_load, times(entries, entry_bytes))};
}

// kernel/bpf/bloom_filter.c: 7/5 bits an entry for each hash function, then up to a power of two.
BpfMapCost bloom_cost(const BpfDeclaredMap &map, std::uint64_t entries) {
  const std::uint64_t functions = (map.extra & 0xf) == 0 ? 5 : map.extra & 0xf;
  const std::uint64_t bits = times(times(entries, functions), 7) / 5;
  return table_cost(std::bit_ceil(bits) / 8);
}

} // namespace

bool is_per_cpu(const BpfDeclaredMap &map) {
  switch (static_cast<BpfMapType>(map.type_number.value_or(0))) {
  case BpfMapType::percpu_hash:
  case BpfMapType::percpu_array:
  case BpfMapType::lru_percpu_hash:
  case BpfMapType::percpu_cgroup_storage:
    return true;
  default:
    return false;
  }
}

bool is_preallocated_hash(const BpfDeclaredMap &map) {
  const auto type = static_cast<BpfMapType>(map.type_number.value_or(0));
  return (type == BpfMapType::hash || type == BpfMapType::percpu_hash ||
          type == BpfMapType::hash_of_maps) &&
         (map.flags & kBpfNoPreallocation) == 0;
}

std::optional<BpfMapCost> bpf_map_cost(const BpfDeclaredMap &map, std::uint32_t cpus) {
  if (!map.type_number)
    return std::nullopt;
  const auto type = static_cast<BpfMapType>(*map.type_number);
  const DeclaredSizes sizes{.entries = map.max_entries.value_or(0),
                            .key = map.key_bytes.value_or(0),
                            .value = map.value_bytes.value_or(0)};
  switch (type) {
  case BpfMapType::hash:
  case BpfMapType::percpu_hash:
  case BpfMapType::lru_hash:
  case BpfMapType::lru_percpu_hash:
  case BpfMapType::hash_of_maps:
    return hash_cost(map, type, sizes, cpus);
  case BpfMapType::array:
    return table_cost(times(sizes.entries, aligned(sizes.value)));
  case BpfMapType::percpu_array:
    return table_cost(times(sizes.entries, plus(kPointer, times(aligned(sizes.value), cpus))));
  case BpfMapType::program_array:
  case BpfMapType::cgroup_array:
  case BpfMapType::array_of_maps:
  case BpfMapType::devmap:
  case BpfMapType::sockmap:
  case BpfMapType::cpumap:
  case BpfMapType::xskmap:
  case BpfMapType::reuseport_sockarray:
    return table_cost(times(sizes.entries, kPointer));
  case BpfMapType::perf_event_array:
    return table_cost(times(sizes.entries == 0 ? cpus : sizes.entries, kPointer));
  case BpfMapType::stack_trace:
    return table_cost(plus(times(std::bit_ceil(sizes.entries), kPointer),
                           times(sizes.entries, plus(kStackBucket, aligned(sizes.value)))));
  case BpfMapType::lpm_trie: // the four bytes of the prefix's length are in the node
    return growing_cost(0, sizes.entries,
                        kTrieNode + (sizes.key < 4 ? 0 : sizes.key - 4) + sizes.value);
  case BpfMapType::devmap_hash:
    return growing_cost(times(std::bit_ceil(sizes.entries), kPointer), sizes.entries,
                        kDeviceElement);
  case BpfMapType::sockhash:
    return growing_cost(times(std::bit_ceil(sizes.entries), kHashBucket), sizes.entries,
                        kSocketElement + sizes.key);
  case BpfMapType::queue:
  case BpfMapType::stack:
    return table_cost(times(sizes.entries + 1, sizes.value));
  case BpfMapType::ring_buffer:
  case BpfMapType::user_ring_buffer:
    return table_cost(sizes.entries);
  case BpfMapType::bloom_filter:
    return bloom_cost(map, sizes.entries);
  case BpfMapType::arena:
    return growing_cost(0, sizes.entries, kPage);
  default:
    return std::nullopt;
  }
}

} // namespace mapscope
