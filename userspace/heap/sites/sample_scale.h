// How many objects stand behind each sample of the memory profile.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mapscope {

// Go source: runtime/pprof/protomem.go, scaleHeapSample: samples are taken of a Poisson process
// over bytes.
inline double scale_of(std::uint64_t object_bytes, std::uint64_t rate) {
  if (rate <= 1 || object_bytes == 0)
    return 1;
  return 1 / -std::expm1(-static_cast<double>(object_bytes) / static_cast<double>(rate));
}

// A profile that lies counts more than there can be: then 2^63.
inline std::uint64_t scaled(std::uint64_t count, double scale) {
  constexpr double kMax = 0x1p63;
  return static_cast<std::uint64_t>(std::min(static_cast<double>(count) * scale, kMax));
}

} // namespace mapscope
