// What a live run settles before the kernel is touched.
#pragma once

#include "base/error.h"
#include "base/handle.h"
#include "flow/run_observer.h"
#include "kernel/tracer.h"
#include "pipeline/watch_session.h"

namespace mapscope {

// Is there something to look at? A pidfd of the running process that is named, or none. Errors:
// gone, unsupported (not in the host's pid namespace), those of resolve_command().
Result<Fd> look_first(const WatchOptions &options);

TracerOptions tracer_options(const WatchOptions &options);

// When, and on what machine.
RunStart start_now(const WatchOptions &options);

} // namespace mapscope
