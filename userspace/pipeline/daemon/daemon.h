// The daemon: finds Go processes, has them looked at, judges what comes back, tells it. Its parts
// have threads of their own; everything they say meets here, in one queue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/alert.h"
#include "flow/daemon_config.h"

namespace mapscope {

// Runs until SIGTERM or SIGINT, and is done within two seconds of that. SIGHUP reads `config_path`
// again (empty: there is nothing to read). These signals are blocked in the calling thread from now
// on. Errors: what prevents it from starting at all; once it runs, nothing does.
Result<> run_daemon(DaemonConfig config, const std::string &config_path);

// What one pass over all processes found. Nothing is delivered, and nothing kept.
struct DaemonPass {
  std::vector<Finding> firing;            // rules that have to hold for a while do so at once here
  std::uint64_t processes = 0;            // that were looked at
  std::vector<std::string> not_looked_at; // a sentence for each Go process that a census failed on
};
Result<DaemonPass> run_daemon_once(DaemonConfig config);

} // namespace mapscope
