// Time as rules reckon with it: nanoseconds that never go back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "flow/rule.h"

namespace mapscope {

inline constexpr std::uint64_t kSecondNs = 1'000'000'000;

inline std::uint64_t elapsed_ns(std::uint64_t now_ns, std::uint64_t then_ns) {
  return now_ns > then_ns ? now_ns - then_ns : 0;
}

inline std::uint64_t nanoseconds(Seconds seconds) {
  return static_cast<std::uint64_t>(std::max<Seconds::rep>(0, seconds.count())) * kSecondNs;
}

} // namespace mapscope
