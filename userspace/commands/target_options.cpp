// What to watch; see target_options.h.
#include "commands/target_options.h"

#include <bit>

#include <CLI/CLI.hpp>

#include "commands/messages.h"

namespace mapscope {

void add_target_options(CLI::App &command, TargetOptions &options) {
  command.add_option("-p,--pid", options.pid, "Watch this running process")
      ->check(CLI::PositiveNumber);
  command.add_option("--duration", options.duration_seconds, "Stop after so many seconds")
      ->check(CLI::PositiveNumber);
  command.add_flag("--follow", options.follow, "Watch Go programs that the target starts, too");
  command
      .add_option("--buffer", options.buffer_mib,
                  "Room for events on their way, in MiB, a power of two (default: 4)")
      ->check(CLI::Range(1, 1024));
  command.add_option("--user", options.user,
                     "Run the command as this user (default: who called sudo, else as now)");
}

Result<WatchOptions> watch_options_of(const TargetOptions &options) {
  int named = (options.pid > 0) + !options.command.empty() + options.every_go_program;
  if (named > 1)
    return fail(Errc::usage, "-p PID, --all-go and a command exclude each other");
  if (named == 0)
    return fail(Errc::usage, "nothing to look at: give -p PID, or -- and a command");
  if (!std::has_single_bit(options.buffer_mib))
    return fail(Errc::usage, "--buffer {}: the kernel wants a power of two", options.buffer_mib);
  WatchOptions watch;
  if (options.pid > 0)
    watch.pid = options.pid;
  watch.command = options.command;
  watch.every_go_program = options.every_go_program;
  if (options.duration_seconds > 0)
    watch.duration =
        std::chrono::nanoseconds{static_cast<std::int64_t>(options.duration_seconds * 1e9)};
  watch.follow = options.follow;
  watch.ring_bytes = options.buffer_mib << 20;
  watch.run_as = options.user.empty() ? invoking_user() : TRY(user_named(options.user));
  watch.say = say;
  return watch;
}

} // namespace mapscope
