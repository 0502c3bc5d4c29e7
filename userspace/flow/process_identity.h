// Who a watched process is, in the words that people use: executable, command line, user, and the
// container or unit that its cgroup names. Made by attach/, shown by every alert.
#pragma once

#include <cstdint>
#include <string>

#include "flow/process.h"

namespace mapscope {

// What the path of a cgroup tells. Each is empty where it does not.
struct CgroupIdentity {
  std::string path;         // in the unified hierarchy, or in that of the memory controller
  std::string container_id; // 64 hex digits: docker, containerd, cri-o, podman
  std::string pod_uid;      // Kubernetes, with dashes
  std::string unit;         // systemd: "prometheus.service"; the innermost
  friend bool operator==(const CgroupIdentity &, const CgroupIdentity &) = default;
};

struct ProcessIdentity {
  ProcessKey key;
  std::string exe;          // as its own mount namespace names it; " (deleted)" is cut off
  std::string command_line; // arguments joined by blanks, printable, at most 4 KiB
  std::uint32_t uid = 0;
  std::string user; // empty: no such user on this host
  CgroupIdentity cgroup;
  friend bool operator==(const ProcessIdentity &, const ProcessIdentity &) = default;
};

} // namespace mapscope
