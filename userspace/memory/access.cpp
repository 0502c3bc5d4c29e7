// ptrace(2), "Ptrace access mode checking"; Documentation/admin-guide/LSM/Yama.rst of Linux.
#include "memory/access.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mapscope {
namespace {

bool has_capability(unsigned capability) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capget, &header, data) == 0 &&
         (data[capability / 32].effective & 1U << capability % 32) != 0;
}

// kernel.yama.ptrace_scope; 0 where there is no Yama.
int yama_scope() {
  int scope = 0;
  std::ifstream{"/proc/sys/kernel/yama/ptrace_scope"} >> scope;
  return scope;
}

std::string_view what_helps(Access access) {
  constexpr int kOnlyParents = 1, kNobody = 3;
  const bool may_trace = has_capability(CAP_SYS_PTRACE);
  if (access == Access::page_map)
    return may_trace ? "the page map of another user's process needs CAP_DAC_READ_SEARCH besides "
                       "CAP_SYS_PTRACE; run mapscope as root or with both"
                     : "run mapscope as root or with CAP_SYS_PTRACE, or as the user of the process";
  const int scope = yama_scope();
  if (scope >= kNobody)
    return "kernel.yama.ptrace_scope is 3, which forbids it to everybody until the next boot";
  if (may_trace)
    return "mapscope has CAP_SYS_PTRACE, so it is a security module (AppArmor, SELinux) or a user "
           "namespace that forbids it; run mapscope where the process was started from";
  if (scope >= kOnlyParents)
    return "kernel.yama.ptrace_scope does not let a user look at processes that are not its "
           "children; run mapscope as root or with CAP_SYS_PTRACE, or set it to 0";
  return "run mapscope as root or with CAP_SYS_PTRACE, or as the user of the process";
}

} // namespace

Error access_error(Error error, pid_t pid, Access access) {
  error = std::move(error).while_doing(fmt::format(
      "reading the {} of process {}", access == Access::memory ? "memory" : "page map", pid));
  if (error.code() != Errc::denied)
    return error;
  return {Errc::denied, fmt::format("{}: {}", error.message(), what_helps(access))};
}

} // namespace mapscope
