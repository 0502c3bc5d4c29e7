// Doubles and halves how long intervals are, so that it settles where the limit is.
#include "pipeline/daemon/census_guard.h"

#include <algorithm>
#include <ctime>

#include <unistd.h>

#include "attach/memory_limits.h"
#include "base/clock.h"

namespace mapscope {

void CensusGuard::set(bool is_short_of_memory, double stretch) {
  const bool was_throttled = is_throttled();
  is_short_of_memory_ = is_short_of_memory;
  stretch_ = stretch;
  throttled_count_ += is_throttled() && !was_throttled;
}

void CensusGuard::take_cpu(std::uint64_t now_ns, std::uint64_t cpu_ns) {
  constexpr std::uint64_t kWindowNs = 60'000'000'000, kWindowMinNs = 20'000'000'000;
  constexpr double kStretchMax = 64, kEnough = 0.7;
  cpu_.emplace_back(now_ns, cpu_ns);
  while (cpu_.size() > 2 && cpu_[1].first + kWindowNs <= now_ns)
    cpu_.pop_front();
  const std::uint64_t passed_ns = now_ns - cpu_.front().first;
  if (passed_ns < kWindowMinNs)
    return;
  const double share =
      static_cast<double>(cpu_ns - cpu_.front().second) / static_cast<double>(passed_ns);
  if (share > limits_.cpu_share) {
    set(is_short_of_memory_, std::min(kStretchMax, stretch_ * 2));
    cpu_.erase(cpu_.begin(), cpu_.end() - 1); // what was before is answered for
  } else if (share < limits_.cpu_share * kEnough && stretch_ > 1) {
    set(is_short_of_memory_, std::max(1.0, stretch_ / 2));
    cpu_.erase(cpu_.begin(), cpu_.end() - 1);
  }
}

void CensusGuard::take_memory(std::uint64_t resident_bytes) {
  resident_bytes_ = resident_bytes;
  const std::uint64_t soft = limits_.memory_bytes / 5 * 4, enough = limits_.memory_bytes / 10 * 7;
  set(is_short_of_memory_ ? resident_bytes > enough : resident_bytes > soft, stretch_);
}

std::uint64_t CensusGuard::free_bytes() const {
  const std::uint64_t soft = limits_.memory_bytes / 5 * 4;
  constexpr std::uint64_t kLeast = 8 << 20; // no pass works with less
  return std::max(kLeast, soft - std::min(soft, resident_bytes_));
}

void CensusGuard::measure_memory() {
  if (const auto own = MemoryLimitReader{}.read(::getpid(), {}))
    take_memory(own->resident_bytes);
}

void CensusGuard::measure(std::uint64_t now_ns) {
  take_cpu(now_ns, mapscope::now_ns(CLOCK_PROCESS_CPUTIME_ID));
  measure_memory();
}

} // namespace mapscope
