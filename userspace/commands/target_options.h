// The options that say what to watch and for how long: the same for all commands that watch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/watch_session.h"

namespace CLI {
class App;
}

namespace mapscope {

struct TargetOptions {
  int pid = 0;
  std::vector<std::string> command; // what stood behind "--"
  bool every_go_program = false;
  double duration_seconds = 0;
  std::uint32_t buffer_mib = 4;
  bool follow = false;
  std::string user;

  // The command shares standard output with us: what we say goes to standard error.
  bool shares_output() const { return !command.empty(); }
};

// `options` outlives `command`.
void add_target_options(CLI::App &command, TargetOptions &options);

// Checked, and all that they determine filled in. Errors: usage.
Result<WatchOptions> watch_options_of(const TargetOptions &options);

} // namespace mapscope
