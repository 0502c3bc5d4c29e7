// Bulk reads, and the proof that they were of the process that was meant.
#include "memory/live_process.h"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/process_files.h"
#include "memory/access.h"
#include "memory/mappings.h"
#include "memory/residency.h"

namespace mapscope {
namespace {

constexpr std::size_t kRangesPerCall = 1024; // UIO_MAXIOV
// Some 200,000 mappings; Linux allows 65,530 where nobody raised the limit.
constexpr std::size_t kMapsBytesMax = 32 << 20;

// Reads the front of `reads` in one call; returns how many ranges are settled. What the kernel
// could not read ends its work, so that range is settled as not read. A range that came in part
// (its end is not mapped) is not read either.
Result<std::size_t> read_some(pid_t pid, std::span<MemoryRead> reads) {
  std::array<iovec, kRangesPerCall> ours{}, theirs{};
  const std::size_t count = std::min(reads.size(), kRangesPerCall);
  for (std::size_t i = 0; i < count; ++i) {
    ours[i] = {reads[i].into.data(), reads[i].into.size()};
    // An address of the other process, which is never followed in this one.
    theirs[i] = {reinterpret_cast<void *>(reads[i].address.value), reads[i].into.size()};
  }
  const ssize_t got = ::process_vm_readv(pid, ours.data(), count, theirs.data(), count, 0);
  if (got < 0 && errno != EFAULT)
    return std::unexpected(
        access_error(Error::from_errno("process_vm_readv"), pid, Access::memory));
  auto left = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  for (std::size_t i = 0; i < count; ++i) {
    reads[i].is_read = left >= reads[i].into.size();
    if (!reads[i].is_read)
      return i + 1;
    left -= reads[i].into.size();
  }
  return count;
}

} // namespace

Result<std::unique_ptr<LiveProcess>> LiveProcess::open(ProcessKey process) {
  const auto pid = static_cast<pid_t>(process.pid);
  Fd pid_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pid_fd)
    return std::unexpected(Error::from_errno(fmt::format("opening process {}", pid)));
  std::unique_ptr<LiveProcess> opened{new LiveProcess{process, std::move(pid_fd)}};
  // Whoever the descriptor is of has this start time, if it still exists afterwards.
  const auto stat = TRY(read_process_stat(pid));
  TRY(opened->check_identity());
  if (stat.start_time_ns != process.start_time_ns)
    return fail(Errc::gone, "process {} has ended, and its number is another's now", pid);
  std::byte byte; // the right to read shows when it is used, at whatever address
  MemoryRead attempt{.address = {0}, .into = {&byte, 1}};
  TRY(opened->read({&attempt, 1}));
  return opened;
}

// A process keeps its number until its parent has asked how it ended, and no signal reaches it
// afterwards: if signal 0 would, everything before this call was about that process. EPERM is an
// answer about a process that exists.
Result<> LiveProcess::check_identity() const {
  if (::syscall(SYS_pidfd_send_signal, pid_fd_.get(), 0, nullptr, 0) != 0 && errno != EPERM)
    return std::unexpected(Error::from_errno(fmt::format("process {}", process_.pid)));
  return {};
}

Result<> LiveProcess::read(std::span<MemoryRead> reads) {
  for (MemoryRead &wanted : reads)
    wanted.is_read = false;
  for (auto rest = reads; !rest.empty();)
    rest = rest.subspan(TRY(read_some(static_cast<pid_t>(process_.pid), rest)));
  return check_identity();
}

Result<std::vector<Mapping>> LiveProcess::mappings() {
  const auto pid = static_cast<pid_t>(process_.pid);
  auto text = read_process_file(pid, "maps", kMapsBytesMax);
  if (!text)
    return std::unexpected(access_error(std::move(text).error(), pid, Access::memory));
  TRY(check_identity());
  return parse_mappings(*text);
}

// Opened for each call: an open page map stays that of the image before an exec.
Result<std::vector<PageRun>> LiveProcess::resident_pages(std::span<const ProcessRange> ranges) {
  const std::string path = fmt::format("/proc/{}/pagemap", process_.pid);
  const Fd pagemap{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  const auto pid = static_cast<pid_t>(process_.pid);
  if (!pagemap && errno == ENOENT)
    return fail(Errc::gone, "there is no process {}", pid);
  if (!pagemap)
    return std::unexpected(
        access_error(Error::from_errno(fmt::format("opening {}", path)), pid, Access::page_map));
  auto runs = read_residency(pagemap, ranges);
  if (!runs)
    return std::unexpected(access_error(std::move(runs).error(), pid, Access::page_map));
  TRY(check_identity());
  return runs;
}

} // namespace mapscope
