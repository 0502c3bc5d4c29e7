// Trials of the host around the programs: file systems, the memory of other processes,
// settings and limits.
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/handle.h"
#include "kernel/privileges.h"
#include "kernel/trial.h"

namespace mapscope {
namespace {

// PAGEMAP_SCAN and its argument (include/uapi/linux/fs.h, Linux 6.7), which the headers of
// Linux 6.1 lack.
struct PageMapScan {
  std::uint64_t size_bytes = sizeof(PageMapScan);
  std::uint64_t flags = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t walk_end = 0;
  std::uint64_t regions = 0; // address of the answer
  std::uint64_t regions_max = 0;
  std::uint64_t pages_max = 0;
  std::uint64_t category_inverted = 0;
  std::uint64_t category_mask = 0;
  std::uint64_t category_any_of_mask = 0;
  std::uint64_t return_mask = 0;
};
static_assert(sizeof(PageMapScan) == 96);

struct PageRegion {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t categories = 0;
};

constexpr unsigned long kPageMapScan = _IOWR('f', 16, PageMapScan);
constexpr std::uint64_t kPageIsPresent = 1 << 3;

// Memory of a process that we did not start: reading that of a child is always allowed.
struct ForeignMemory {
  pid_t pid = 0;
  std::uint64_t address = 0; // of a readable page
};

Result<ForeignMemory> find_foreign_memory() {
  const pid_t parent = getppid();
  const pid_t pid = parent > 0 ? parent : 1; // 0: it lives in an outer pid namespace
  const std::string path = fmt::format("/proc/{}/maps", pid);
  const Handle<FILE, std::fclose> maps{std::fopen(path.c_str(), "re")};
  if (!maps)
    return std::unexpected(Error::from_errno("opening " + path));
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), maps.get())) {
    std::uint64_t start = 0;
    char readable = '-';
    if (std::sscanf(line.data(), "%" SCNx64 "-%*x %c", &start, &readable) == 2 && readable == 'r')
      return ForeignMemory{pid, start};
  }
  return std::unexpected(
      Error::from_errno("reading " + path, std::ferror(maps.get()) ? EIO : EACCES));
}

Result<Fd> open_page_map(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/pagemap", pid);
  Fd file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return std::unexpected(Error::from_errno("opening " + path));
  return file;
}

// The first line of a small file of the kernel.
Result<std::string> read_setting(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line))
    return fail(Errc::not_found, "{} cannot be read", path);
  return line;
}

Result<std::string> try_mounted(const char *directory, long magic) {
  struct statfs status{};
  if (statfs(directory, &status) < 0)
    return std::unexpected(Error::from_errno(fmt::format("looking at {}", directory)));
  if (status.f_type != magic)
    return fail(Errc::not_found, "not mounted on {}", directory);
  if (access(directory, R_OK | X_OK) < 0)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", directory)));
  return fmt::format("mounted on {}", directory);
}

} // namespace

Result<std::string> try_capabilities(const TrialContext &) {
  if (!holds_capability(CAP_BPF) || !holds_capability(CAP_PERFMON))
    return fail(Errc::denied, "this process is not root, or in a container without them");
  return "held";
}

Result<std::string> try_tracefs(const TrialContext &) {
  return try_mounted("/sys/kernel/tracing", TRACEFS_MAGIC);
}

Result<std::string> try_bpffs(const TrialContext &) {
  return try_mounted("/sys/fs/bpf", BPF_FS_MAGIC);
}

Result<std::string> try_reading_memory(const TrialContext &) {
  const ForeignMemory memory = TRY(find_foreign_memory());
  std::uint64_t word = 0;
  const iovec local{&word, sizeof(word)};
  const iovec remote{reinterpret_cast<void *>(memory.address), sizeof(word)};
  if (process_vm_readv(memory.pid, &local, 1, &remote, 1, 0) != sizeof(word))
    return std::unexpected(Error::from_errno(fmt::format("reading process {}", memory.pid)));
  return fmt::format("read process {}", memory.pid);
}

Result<std::string> try_page_map(const TrialContext &) {
  const ForeignMemory memory = TRY(find_foreign_memory());
  const Fd page_map = TRY(open_page_map(memory.pid));
  const auto page = static_cast<off_t>(memory.address) / sysconf(_SC_PAGESIZE);
  std::uint64_t entry = 0;
  if (pread(page_map.get(), &entry, sizeof(entry), page * off_t{sizeof(entry)}) != sizeof(entry))
    return std::unexpected(
        Error::from_errno(fmt::format("reading that of process {}", memory.pid)));
  return fmt::format("read that of process {}", memory.pid);
}

Result<std::string> try_page_map_scan(const TrialContext &) {
  const ForeignMemory memory = TRY(find_foreign_memory());
  const Fd page_map = TRY(open_page_map(memory.pid));
  PageRegion region;
  PageMapScan scan;
  scan.start = memory.address;
  scan.end = memory.address + static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  scan.regions = reinterpret_cast<std::uintptr_t>(&region);
  scan.regions_max = 1;
  scan.category_any_of_mask = kPageIsPresent;
  scan.return_mask = kPageIsPresent;
  if (ioctl(page_map.get(), kPageMapScan, &scan) < 0)
    return std::unexpected(Error::from_errno(fmt::format("scanning process {}", memory.pid)));
  return fmt::format("scanned process {}", memory.pid);
}

Result<std::string> try_lockdown(const TrialContext &) {
  const auto mode = read_setting("/sys/kernel/security/lockdown");
  if (!mode)
    return "no lockdown module, or securityfs is not mounted";
  if (mode->contains("[confidentiality]"))
    return fail(Errc::unsupported, "the kernel is locked down: {}", *mode);
  return *mode;
}

Result<std::string> try_seccomp(const TrialContext &) {
  const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
    return std::unexpected(Error::from_errno("asking for SECCOMP_RET_KILL_PROCESS"));
  return "can end a process";
}

Result<std::string> try_unprivileged_bpf(const TrialContext &) {
  const std::string value = TRY(read_setting("/proc/sys/kernel/unprivileged_bpf_disabled"));
  if (std::string_view{value} != "0")
    return fail(Errc::unsupported, "kernel.unprivileged_bpf_disabled is {}", value);
  return "kernel.unprivileged_bpf_disabled is 0";
}

Result<std::string> try_locked_memory(const TrialContext &) {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
    return std::unexpected(Error::from_errno("getrlimit"));
  if (limit.rlim_cur == RLIM_INFINITY)
    return "no limit";
  return fmt::format("{} bytes", limit.rlim_cur);
}

} // namespace mapscope
