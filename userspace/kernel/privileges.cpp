// Reads the capabilities of this process, and the user namespace that they are held in.
#include "kernel/privileges.h"

#include <cstdint>
#include <fstream>

#include <cap-ng.h>

namespace mapscope {
namespace {

// The first one maps all ids to themselves (user_namespaces(7)).
bool in_first_user_namespace() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0, outside = 0, count = 0;
  return map >> inside >> outside >> count && inside == 0 && outside == 0 && count == 0xffffffff;
}

bool is_effective(unsigned capability) {
  return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

} // namespace

bool holds_capability(unsigned capability) {
  // CAP_SYS_ADMIN includes what was split from it; tracing other processes never was.
  const bool part_of_admin = capability == CAP_BPF || capability == CAP_PERFMON;
  return capng_get_caps_process() == 0 && in_first_user_namespace() &&
         (is_effective(capability) || (part_of_admin && is_effective(CAP_SYS_ADMIN)));
}

} // namespace mapscope
