// What the kernel asks of a map of each type before it makes one. Read from the alloc and
// alloc_check functions of Linux 6.12, kernel/bpf/*map*.c, local_storage.c, ringbuf.c and others.
#pragma once

#include <cstdint>
#include <string_view>

namespace mapscope {

// enum bpf_map_type, as far as rules speak of single ones.
enum class BpfMapType : std::uint32_t {
  unspecified = 0,
  hash = 1,
  array = 2,
  program_array = 3,
  perf_event_array = 4,
  percpu_hash = 5,
  percpu_array = 6,
  stack_trace = 7,
  cgroup_array = 8,
  lru_hash = 9,
  lru_percpu_hash = 10,
  lpm_trie = 11,
  array_of_maps = 12,
  hash_of_maps = 13,
  devmap = 14,
  sockmap = 15,
  cpumap = 16,
  xskmap = 17,
  sockhash = 18,
  cgroup_storage = 19,
  reuseport_sockarray = 20,
  percpu_cgroup_storage = 21,
  queue = 22,
  stack = 23,
  sk_storage = 24,
  devmap_hash = 25,
  struct_ops = 26,
  ring_buffer = 27,
  inode_storage = 28,
  task_storage = 29,
  bloom_filter = 30,
  user_ring_buffer = 31,
  cgroup_local_storage = 32,
  arena = 33,
  instruction_array = 34,
};

inline constexpr std::uint32_t kBpfNoPreallocation = 1U << 0, kBpfNoCommonLru = 1U << 1,
                               kBpfNumaNode = 1U << 2, kBpfReadOnly = 1U << 3,
                               kBpfWriteOnly = 1U << 4, kBpfStackBuildId = 1U << 5,
                               kBpfZeroSeed = 1U << 6, kBpfReadOnlyProgram = 1U << 7,
                               kBpfWriteOnlyProgram = 1U << 8, kBpfClone = 1U << 9,
                               kBpfMappable = 1U << 10, kBpfPreserveElements = 1U << 11,
                               kBpfInnerMap = 1U << 12;
// The flags that objects declare; those above are set by loaders, or belong to one type alone.
inline constexpr std::uint32_t kBpfJudgedFlags = (1U << 13) - 1;

// What max_entries has to be.
enum class BpfEntriesRule : std::uint8_t {
  any,          // nothing is asked, or this build does not know
  above_zero,   // the kernel refuses 0
  zero,         // the kernel refuses anything else: the map has no limit of its own
  zero_is_cpus, // loaders take 0 for the number of CPUs
};

// Bits of a rule for key or value sizes.
inline constexpr std::uint32_t kSizeNone = 1, kSizeFour = 2, kSizeEight = 4, kSizeSixteen = 8,
                               kSizeAboveZero = 16, kSizeAny = 32;

struct BpfMapTraits {
  std::string_view name; // as bpftool writes it
  BpfEntriesRule entries = BpfEntriesRule::any;
  std::uint32_t key = kSizeAny, value = kSizeAny;
  std::uint32_t flags = kBpfJudgedFlags; // that the kernel takes
  bool has_types = false;                // the kernel keeps BTF types of key and value for it
};

// Null: a type that this build does not know.
const BpfMapTraits *bpf_map_traits(std::uint32_t type_number);

// The name of the lowest bit of these flags, "BPF_F_NO_PREALLOC".
std::string_view lowest_bpf_flag_name(std::uint32_t flags);

} // namespace mapscope
