// The daemon: finds Go processes, has them looked at, judges what comes back, tells it. Its parts
// have threads of their own; everything they say meets here, in one queue.
#pragma once

#include <string>

#include "base/error.h"
#include "flow/daemon_config.h"

namespace mapscope {

struct DaemonOptions {
  std::string config_path; // read again on SIGHUP; empty: the defaults, nothing to read again
  bool once = false;       // one pass over all processes, then the end
};

struct DaemonEnd {
  std::uint64_t findings = 0;      // firing at the end
  std::uint64_t processes = 0;     // that were looked at
  std::uint64_t not_looked_at = 0; // that a census failed on
  std::uint64_t not_delivered = 0; // kept in the database
};

// Runs until SIGTERM or SIGINT (which are blocked in all threads), and is done within two seconds
// of it. Errors: what prevents it from starting at all; once it runs, nothing does.
Result<DaemonEnd> run_daemon(DaemonConfig config, const DaemonOptions &options);

} // namespace mapscope
