// The memory calls of Linux, and which of their arguments says how many bytes they are about.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "flow/attributed_event.h"

namespace mapscope {

struct MemoryCall {
  std::string_view name;
  std::optional<std::size_t> length_argument; // its index; for mremap, of the new size
};

// Those that a Go program or the C library beside it may make, and prctl, which names memory.
inline constexpr auto kMemoryCalls = std::to_array<MemoryCall>({
    {"mmap", 1},
    {"munmap", 1},
    {"madvise", 1},
    {"brk", {}},
    {"mremap", 2},
    {"mprotect", 1},
    {"prctl", {}},
    {"pkey_mprotect", 1},
    {"msync", 1},
    {"mincore", 1},
    {"mlock", 1},
    {"mlock2", 1},
    {"munlock", 1},
    {"mlockall", {}},
    {"munlockall", {}},
    {"mbind", 1},
    {"move_pages", {}},
    {"migrate_pages", {}},
    {"mseal", {}},
    {"shmat", {}},
    {"shmdt", {}},
    {"memfd_create", {}},
    {"memfd_secret", {}},
    {"userfaultfd", {}},
    {"process_madvise", {}},
    {"set_mempolicy", {}},
    {"get_mempolicy", {}},
    {"pkey_alloc", {}},
    {"pkey_free", {}},
    {"remap_file_pages", {}},
    {"process_mrelease", {}},
    {"map_shadow_stack", {}},
});

// Null: no memory call.
constexpr const MemoryCall *find_memory_call(std::string_view name) {
  const auto *found = std::ranges::find(kMemoryCalls, name, &MemoryCall::name);
  return found == kMemoryCalls.end() ? nullptr : found;
}

// How many bytes the call asks about; absent: its arguments do not say (brk).
inline std::optional<std::uint64_t> asked_bytes(const AttributedCall &call) {
  const MemoryCall *memory = call.is_io_uring ? nullptr : find_memory_call(call.name);
  if (memory == nullptr || !memory->length_argument)
    return std::nullopt;
  return call.arguments[*memory->length_argument];
}

// The error number of a result; 0: it is none. Results of mmap are addresses, which as signed
// numbers may be negative too; the kernel has no error above MAX_ERRNO (include/linux/err.h).
constexpr int error_number(std::int64_t result) {
  return result < 0 && result >= -4095 ? static_cast<int>(-result) : 0;
}

} // namespace mapscope
