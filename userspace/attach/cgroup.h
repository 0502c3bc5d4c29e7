// What the path of a process's cgroup tells of it: container, pod and systemd unit.
#pragma once

#include <string_view>

#include "flow/process_identity.h"

namespace mapscope {

// From the text of /proc/PID/cgroup (cgroups(7)): both versions, and both at once. It is the word
// of whoever may move processes between cgroups, so nothing is taken from it but names.
CgroupIdentity cgroup_identity(std::string_view text);

} // namespace mapscope
