// What a live run settles first; see watch_start.h.
#include "pipeline/watch_start.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "attach/launcher.h"
#include "attach/process.h"
#include "attribute/system_calls.h"
#include "base/clock.h"
#include "kernel/process_ids.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kFollowedMax = 16;

} // namespace

Result<Fd> look_first(const WatchOptions &options) {
  if ((options.follow || options.every_go_program) && !in_initial_pid_namespace())
    return fail(Errc::unsupported, "new processes can be watched in the host's pid namespace only: "
                                   "the kernel tells them by the numbers they have there");
  Fd pid_fd;
  if (options.pid) {
    pid_fd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, *options.pid, 0))};
    if (!pid_fd)
      return std::unexpected(Error::from_errno(fmt::format("process {}", *options.pid)));
    TRY(find_process(*options.pid));
  } else if (!options.every_go_program) {
    TRY(resolve_command(options.command.front()));
  }
  return pid_fd;
}

TracerOptions tracer_options(const WatchOptions &options) {
  TracerOptions tracer;
  tracer.settings = options.settings;
  tracer.settings.use_windows = options.probes.opens_windows();
  tracer.settings.watch_every_exec = options.every_go_program;
  tracer.call_table = call_table(this_machine());
  tracer.probes_returns = options.probes.depth == Depth::exact;
  tracer.ring_bytes = options.ring_bytes;
  tracer.targets_max = options.every_go_program ? TARGETS_MAX
                       : options.follow         ? kFollowedMax
                                                : 2; // two: the target may exec
  return tracer;
}

RunStart start_now(const WatchOptions &options) {
  RunStart start;
  start.has_several_processes = options.follow || options.every_go_program;
  start.machine = this_machine();
  start.time_ns = now_ns();
  std::uint64_t wall_ns = now_ns(CLOCK_REALTIME);
  start.wall_offset_ns = static_cast<std::int64_t>(wall_ns - start.time_ns);
  auto wall_seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000U);
  std::tm local{};
  if (::localtime_r(&wall_seconds, &local) != nullptr)
    start.utc_offset_seconds = static_cast<std::int32_t>(local.tm_gmtoff);
  return start;
}

} // namespace mapscope
