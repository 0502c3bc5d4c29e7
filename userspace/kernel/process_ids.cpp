// Process numbers across pid namespaces; see process_ids.h.
#include "kernel/process_ids.h"

#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/handle.h"
#include "bpf/contract/targets.h"
#include "kernel/uprobes.h"

namespace mapscope {

namespace {
// PROC_PID_INIT_INO of include/linux/proc_ns.h: the first pid namespace's inode, always.
constexpr std::uint32_t kInitialPidNamespace = 0xEFFFFFFC;
} // namespace

Result<std::uint32_t> own_pid_namespace() {
  struct stat status{};
  if (::stat("/proc/self/ns/pid", &status) != 0)
    return std::unexpected(Error::from_errno("looking up the pid namespace of this process"));
  return static_cast<std::uint32_t>(status.st_ino);
}

bool in_initial_pid_namespace() {
  auto own = own_pid_namespace();
  return own && *own == kInitialPidNamespace;
}

Result<std::uint32_t> initial_tgid(const bpf_program *process_ids, pid_t pid) {
  BpfLink link{bpf_program__attach_iter(process_ids, nullptr)};
  if (!link)
    return std::unexpected(Error::from_errno("attaching the process iterator"));
  Fd iterator{bpf_iter_create(bpf_link__fd(link.get()))};
  if (!iterator)
    return std::unexpected(Error::from_errno("starting the process iterator"));

  struct process_ids pair{};
  for (;;) {
    ssize_t size = ::read(iterator.get(), &pair, sizeof(pair));
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (size != sizeof(pair))
      return fail(Errc::gone, "no process {} in this pid namespace", pid);
    if (pair.local == static_cast<std::uint32_t>(pid))
      return pair.tgid;
  }
}

} // namespace mapscope
