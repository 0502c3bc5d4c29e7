// Where maps are pinned: walks of the BPF file systems, of this mount namespace and of others.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace mapscope {

struct PinnedMap {
  std::uint32_t map_id = 0;
  std::string path; // of other mount namespaces as "/proc/PID/root/..."
  // When the pin was made or last changed: the map is older.
  std::uint64_t changed_wall_ns = 0;
};

struct PinLookLimits {
  std::uint64_t entries_max = 200'000;
  std::uint64_t cpu_ns_max = 500'000'000;
  int depth_max = 16;
  std::size_t namespaces_max = 64;
};

struct PinnedMaps {
  std::vector<PinnedMap> pins;
  std::unordered_set<std::uint32_t> programs; // ids of those that are pinned, or a link of theirs
  std::vector<std::string> problems;          // what was not looked at, a sentence each
};

PinnedMaps find_pinned_maps(const PinLookLimits &limits = {});

} // namespace mapscope
