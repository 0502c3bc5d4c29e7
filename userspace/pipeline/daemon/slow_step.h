// Says in the log which step of the daemon's own thread took long: meanwhile it takes no signal,
// and a service manager with a watchdog may believe that it hangs.
#pragma once

#include <cstdint>
#include <string_view>

#include <spdlog/spdlog.h>

#include "base/clock.h"

namespace mapscope {

// Runs `step`; `what` is what it does: "finding programs".
template <class Step> void warn_if_slow(std::string_view what, Step step) {
  constexpr std::uint64_t kSlowNs = 1'000'000'000;
  const std::uint64_t begin_ns = now_ns();
  step();
  if (const std::uint64_t took_ns = now_ns() - begin_ns; took_ns > kSlowNs)
    spdlog::warn("{} took {:.1f} s: is this host short of CPU time?", what,
                 static_cast<double>(took_ns) / 1e9);
}

} // namespace mapscope
