// The text of fdinfo, and maps to try it on; see map_memory.h.
#include "kernel/bpf_maps/map_memory.h"

#include <array>
#include <string>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "kernel/bpf_maps/descriptor_fields.h"

namespace mapscope {
namespace {

constexpr const char *kTrialName = "mapscope_trial";

// BPF_MAP_TYPE_CGRP_STORAGE and _ARENA, which the headers of Linux 6.1 lack.
constexpr std::uint32_t kCgroupLocalStorage = 32, kArena = 33;

std::optional<std::uint64_t> memory_of(const Fd &map) {
  const auto info = read_map_descriptor_info(map);
  return info ? info->memory_bytes : std::nullopt;
}

// Linux 5.11 to 6.3 tell the product of sizes and max_entries: 0 for a ring buffer, which has
// neither key nor value. A charge, of kernels before, does not grow with elements that a hash
// allocates one by one; memory that is accounted does.
BpfMemoryMethod try_memory_method() {
  const auto page_bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  const Fd ring{bpf_map_create(BPF_MAP_TYPE_RINGBUF, kTrialName, 0, 0, page_bytes, nullptr)};
  const auto ring_bytes = memory_of(ring);
  if (!ring_bytes)
    return BpfMemoryMethod::unknown;
  if (*ring_bytes == 0)
    return BpfMemoryMethod::arithmetic;
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
  const std::uint32_t key = 1;
  const std::array<std::uint64_t, 8> value{};
  const Fd hash{
      bpf_map_create(BPF_MAP_TYPE_HASH, kTrialName, sizeof(key), sizeof(value), 16, &options)};
  const auto empty_bytes = memory_of(hash);
  if (!empty_bytes || bpf_map_update_elem(hash.get(), &key, &value, BPF_ANY) != 0)
    return BpfMemoryMethod::unknown;
  return memory_of(hash) > empty_bytes ? BpfMemoryMethod::accounted : BpfMemoryMethod::charged;
}

} // namespace

MapDescriptorInfo parse_map_descriptor_info(std::string_view text) {
  MapDescriptorInfo info{.memory_bytes = descriptor_field<std::uint64_t>(text, "memlock:\t"),
                         .is_frozen = {}};
  if (const auto frozen = descriptor_field<std::uint64_t>(text, "frozen:\t"))
    info.is_frozen = *frozen != 0;
  return info;
}

Result<MapDescriptorInfo> read_map_descriptor_info(const Fd &map) {
  const std::string path = fmt::format("/proc/self/fdinfo/{}", map.get());
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 4096> text; // some 200 bytes, all in one answer
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size < 0)
    return std::unexpected(Error::from_errno(fmt::format("reading {}", path)));
  return parse_map_descriptor_info({text.data(), static_cast<std::size_t>(size)});
}

BpfMemoryMethod bpf_memory_method() {
  static const BpfMemoryMethod kMethod = try_memory_method();
  return kMethod;
}

// "Currently the dynamically allocated elements are not counted": cpu_map_mem_usage,
// cgroup_storage_map_usage, bpf_local_storage_map_mem_usage; arena_map_mem_usage says 0
// (kernel/bpf/, Linux 6.18).
bool is_memory_whole(std::uint32_t map_type) {
  switch (map_type) {
  case BPF_MAP_TYPE_CPUMAP:
  case BPF_MAP_TYPE_CGROUP_STORAGE:
  case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
  case BPF_MAP_TYPE_SK_STORAGE:
  case BPF_MAP_TYPE_INODE_STORAGE:
  case BPF_MAP_TYPE_TASK_STORAGE:
  case kCgroupLocalStorage:
  case kArena:
    return false;
  default:
    return true;
  }
}

} // namespace mapscope
