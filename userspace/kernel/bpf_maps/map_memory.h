// What /proc/self/fdinfo says of a map that bpf(2) does not: its memory, and whether it is frozen.
// And what the kernel's figure of memory means, which differs from release to release.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/handle.h"
#include "flow/bpf_map.h"

namespace mapscope {

// Absent: the kernel does not say.
struct MapDescriptorInfo {
  std::optional<std::uint64_t> memory_bytes; // "memlock"
  std::optional<bool> is_frozen;
};

MapDescriptorInfo parse_map_descriptor_info(std::string_view text);
Result<MapDescriptorInfo> read_map_descriptor_info(const Fd &map);

// Found by trying on small maps, once for the process; unknown where none can be made.
BpfMemoryMethod bpf_memory_method();

// Whether the kernel's figure has the elements of such a map in it, where it accounts at all.
bool is_memory_whole(std::uint32_t map_type);

} // namespace mapscope
