// Reading clocks: the only place that does.
#pragma once

#include <cstdint>
#include <ctime>

namespace mapscope {

// Nanoseconds on one of the kernel's clocks. CLOCK_MONOTONIC is that of all events.
inline std::uint64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace mapscope
