// The daemon; see daemon.h.
#include "pipeline/daemon/daemon.h"

namespace mapscope {

Result<DaemonEnd> run_daemon(DaemonConfig, const DaemonOptions &) {
  return fail(Errc::unsupported, "not yet");
}

} // namespace mapscope
