// The table; see bpf_map_types.h.
#include "vet/bpf_map_types.h"

#include <array>
#include <bit>
#include <cstddef>

namespace mapscope {
namespace {

using enum BpfEntriesRule;

constexpr std::uint32_t kAccess =
    kBpfReadOnly | kBpfWriteOnly | kBpfReadOnlyProgram | kBpfWriteOnlyProgram;
constexpr std::uint32_t kUserAccess = kBpfReadOnly | kBpfWriteOnly;
constexpr std::uint32_t kDescriptor = kSizeFour | kSizeEight;
constexpr std::uint32_t kHashFlags = kAccess | kBpfZeroSeed;
constexpr std::uint32_t kStorageFlags = kBpfNoPreallocation | kBpfClone;
constexpr std::uint32_t kOwnFlags = kBpfNumaNode | kUserAccess; // of those that hold descriptors

constexpr std::uint32_t kOne = kSizeAboveZero;

// By number.
constexpr std::array<BpfMapTraits, 35> kTraits = {{
    {.name = "unspec"},
    {"hash", above_zero, kOne, kOne, kHashFlags | kBpfNoPreallocation | kBpfNumaNode, true},
    {"array", above_zero, kSizeFour, kOne, kAccess | kBpfNumaNode | kBpfMappable | kBpfInnerMap,
     true},
    {"prog_array", above_zero, kSizeFour, kSizeFour, kOwnFlags},
    // libbpf and cilium/ebpf write the sizes themselves where none are declared.
    {"perf_event_array", zero_is_cpus, kSizeFour | kSizeNone, kSizeFour | kSizeNone,
     kOwnFlags | kBpfPreserveElements},
    {"percpu_hash", above_zero, kOne, kOne, kHashFlags | kBpfNoPreallocation, true},
    {"percpu_array", above_zero, kSizeFour, kOne, kAccess, true},
    {"stack_trace", above_zero, kSizeFour, kOne, kOwnFlags | kBpfStackBuildId},
    {"cgroup_array", above_zero, kSizeFour, kSizeFour, kOwnFlags},
    {"lru_hash", above_zero, kOne, kOne, kHashFlags | kBpfNoCommonLru | kBpfNumaNode, true},
    {"lru_percpu_hash", above_zero, kOne, kOne, kHashFlags | kBpfNoCommonLru, true},
    {"lpm_trie", above_zero, kOne, kOne, kAccess | kBpfNoPreallocation | kBpfNumaNode, true},
    {"array_of_maps", above_zero, kSizeFour, kSizeFour, kOwnFlags},
    {"hash_of_maps", above_zero, kOne, kSizeFour, kHashFlags | kBpfNoPreallocation | kBpfNumaNode},
    {"devmap", above_zero, kSizeFour, kDescriptor, kOwnFlags},
    {"sockmap", above_zero, kSizeFour, kDescriptor, kOwnFlags},
    {"cpumap", above_zero, kSizeFour, kDescriptor, kBpfNumaNode},
    {"xskmap", above_zero, kSizeFour, kSizeFour, kOwnFlags},
    {"sockhash", above_zero, kOne, kDescriptor, kOwnFlags},
    {"cgroup_storage", zero, kSizeEight | kSizeSixteen, kOne, kAccess | kBpfNumaNode, true},
    {"reuseport_sockarray", above_zero, kSizeFour, kDescriptor, kAccess | kBpfNumaNode},
    {"percpu_cgroup_storage", zero, kSizeEight | kSizeSixteen, kOne, kAccess | kBpfNumaNode, true},
    {"queue", above_zero, kSizeNone, kOne, kAccess | kBpfNumaNode},
    {"stack", above_zero, kSizeNone, kOne, kAccess | kBpfNumaNode},
    {"sk_storage", zero, kSizeFour, kOne, kStorageFlags, true},
    {"devmap_hash", above_zero, kSizeFour, kDescriptor, kOwnFlags},
    {.name = "struct_ops"},
    {"ringbuf", above_zero, kSizeNone, kSizeNone, kBpfNumaNode},
    {"inode_storage", zero, kSizeFour, kOne, kStorageFlags, true},
    {"task_storage", zero, kSizeFour, kOne, kStorageFlags, true},
    {"bloom_filter", above_zero, kSizeNone, kOne, kAccess | kBpfNumaNode | kBpfZeroSeed},
    {"user_ringbuf", above_zero, kSizeNone, kSizeNone, kBpfNumaNode},
    {"cgrp_storage", zero, kSizeFour, kOne, kStorageFlags, true},
    {"arena", above_zero, kSizeNone, kSizeNone, kBpfMappable},
    {.name = "insn_array"},
}};

constexpr std::array<std::string_view, 13> kFlagNames = {
    "BPF_F_NO_PREALLOC", "BPF_F_NO_COMMON_LRU",  "BPF_F_NUMA_NODE", "BPF_F_RDONLY",
    "BPF_F_WRONLY",      "BPF_F_STACK_BUILD_ID", "BPF_F_ZERO_SEED", "BPF_F_RDONLY_PROG",
    "BPF_F_WRONLY_PROG", "BPF_F_CLONE",          "BPF_F_MMAPABLE",  "BPF_F_PRESERVE_ELEMS",
    "BPF_F_INNER_MAP"};

} // namespace

const BpfMapTraits *bpf_map_traits(std::uint32_t type_number) {
  return type_number < kTraits.size() ? &kTraits[type_number] : nullptr;
}

std::string_view lowest_bpf_flag_name(std::uint32_t flags) {
  const auto bit = static_cast<std::size_t>(std::countr_zero(flags));
  return bit < kFlagNames.size() ? kFlagNames[bit] : "no flag";
}

} // namespace mapscope
