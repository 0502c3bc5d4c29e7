// Which of the targets of a run a record is about: the same for everyone who analyses one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "bpf/contract/events.h"

namespace mapscope {

// `targets` by index, each with its TargetStart as `start`. Between an exec and the new probes,
// records still name the place of the old image: then its process tells. Null: none.
template <typename Target>
Target *target_of(std::map<std::uint32_t, Target> &targets, const event_header &header) {
  if (auto target = targets.find(header.target); target != targets.end())
    return &target->second;
  auto same_process = std::ranges::find_if(
      targets, [&](const auto &entry) { return entry.second.start.tgid == header.tgid; });
  return same_process == targets.end() ? nullptr : &same_process->second;
}

} // namespace mapscope
