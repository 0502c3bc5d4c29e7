// Whether a process is one of those that a selector names.
#pragma once

#include <fnmatch.h>

#include <algorithm>
#include <string>
#include <vector>

#include "flow/process_identity.h"
#include "flow/rule.h"

namespace mapscope {

inline bool matches_any(const std::vector<std::string> &patterns, const std::string &text) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string &pattern) {
           return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
         });
}

// Every list that is not empty has to let the process through. `container` is matched with the id
// of the container and with the uid of the pod.
inline bool matches(const ProcessSelector &selector, const ProcessIdentity &process) {
  return matches_any(selector.exe, process.exe) &&
         matches_any(selector.command_line, process.command_line) &&
         matches_any(selector.unit, process.cgroup.unit) &&
         matches_any(selector.cgroup, process.cgroup.path) &&
         (matches_any(selector.user, process.user) ||
          matches_any(selector.user, std::to_string(process.uid))) &&
         (matches_any(selector.container, process.cgroup.container_id) ||
          matches_any(selector.container, process.cgroup.pod_uid));
}

} // namespace mapscope
