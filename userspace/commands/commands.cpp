// The command line: finds the command, and turns what CLI11 says into our exit status.
#include "commands/commands.h"

#include <algorithm>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands/bpf_maps.h"
#include "commands/daemon.h"
#include "commands/doctor.h"
#include "commands/exit_status.h"
#include "commands/inspect.h"
#include "commands/maps.h"
#include "commands/record.h"
#include "commands/replay.h"
#include "commands/status.h"
#include "commands/trace.h"
#include "commands/verify.h"
#include "commands/vet.h"

namespace mapscope {

int run(int argc, char **argv) {
  // What stands behind "--" is somebody else's command line, and CLI11 shall not read it.
  char **end = std::find(argv, argv + argc, std::string_view{"--"});
  std::vector<std::string> command_line(end == argv + argc ? end : end + 1, argv + argc);

  ::signal(SIGPIPE, SIG_IGN); // a reader that has seen enough shows where we write

  CLI::App app{"mapscope watches the maps of Go programs from outside: it never pauses, changes "
               "or restarts them.",
               "mapscope"};
  app.set_version_flag("--version", "mapscope " MAPSCOPE_VERSION);
  app.require_subcommand(1);

  std::function<int()> selected;
  add_verify(app, command_line, selected);
  add_trace(app, command_line, selected);
  add_maps(app, selected);
  add_bpf_maps(app, selected);
  add_vet(app, selected);
  add_record(app, command_line, selected);
  add_replay(app, selected);
  add_daemon(app, selected);
  add_status(app, selected);
  add_doctor(app, selected);
  add_inspect(app, selected);

  try {
    app.parse(static_cast<int>(end - argv), argv);
  } catch (const CLI::ParseError &error) {
    // --help and --version come as errors with status 0.
    return app.exit(error) == 0 ? as_int(ExitStatus::done) : as_int(ExitStatus::usage);
  }
  return selected();
}

} // namespace mapscope
