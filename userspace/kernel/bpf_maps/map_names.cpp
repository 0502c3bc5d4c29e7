// Tables of words; see map_names.h.
#include "kernel/bpf_maps/map_names.h"

#include <array>
#include <span>
#include <string_view>

#include <fmt/format.h>

namespace mapscope {
namespace {

// enum bpf_map_type of include/uapi/linux/bpf.h, up to Linux 6.18 (insn_array: 6.19).
constexpr auto kMapTypes = std::to_array<std::string_view>({
    "unspec",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
    "insn_array",
});

// enum bpf_prog_type, up to Linux 6.18.
constexpr auto kProgramTypes = std::to_array<std::string_view>({
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
});

// Flags of BPF_MAP_CREATE, by bit, up to Linux 6.18.
constexpr auto kMapFlags = std::to_array<std::string_view>({
    "BPF_F_NO_PREALLOC", "BPF_F_NO_COMMON_LRU",  "BPF_F_NUMA_NODE",    "BPF_F_RDONLY",
    "BPF_F_WRONLY",      "BPF_F_STACK_BUILD_ID", "BPF_F_ZERO_SEED",    "BPF_F_RDONLY_PROG",
    "BPF_F_WRONLY_PROG", "BPF_F_CLONE",          "BPF_F_MMAPABLE",     "BPF_F_PRESERVE_ELEMS",
    "BPF_F_INNER_MAP",   "BPF_F_LINK",           "BPF_F_PATH_FD",      "BPF_F_VTYPE_BTF_OBJ_FD",
    "BPF_F_TOKEN_FD",    "BPF_F_SEGV_ON_FAULT",  "BPF_F_NO_USER_CONV",
});

std::string name_or_number(std::span<const std::string_view> names, std::uint32_t number) {
  return number < names.size() ? std::string{names[number]} : fmt::format("type {}", number);
}

} // namespace

std::string bpf_map_type_name(std::uint32_t type) { return name_or_number(kMapTypes, type); }

std::string bpf_program_type_name(std::uint32_t type) {
  return name_or_number(kProgramTypes, type);
}

std::vector<std::string> bpf_map_flag_names(std::uint32_t flags) {
  std::vector<std::string> names;
  for (std::uint32_t bit = 0; bit < 32; ++bit)
    if ((flags >> bit & 1U) != 0)
      names.push_back(bit < kMapFlags.size() ? std::string{kMapFlags[bit]}
                                             : fmt::format("{:#x}", std::uint64_t{1} << bit));
  return names;
}

} // namespace mapscope
