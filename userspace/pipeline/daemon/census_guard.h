// What the daemon takes of the host itself, and whether that is more than it may: then it looks
// less often, and remembers less.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "flow/daemon_config.h"

namespace mapscope {

class CensusGuard {
public:
  explicit CensusGuard(const LimitsConfig &limits) : limits_(limits) {}

  void set_limits(const LimitsConfig &limits) { limits_ = limits; }

  // Asks the kernel.
  void measure(std::uint64_t now_ns);
  void measure_memory();
  // The same with figures of others.
  void take_cpu(std::uint64_t now_ns, std::uint64_t cpu_ns);
  void take_memory(std::uint64_t resident_bytes);

  // Four fifths of the limit are passed, and not yet given back.
  bool is_short_of_memory() const { return is_short_of_memory_; }
  bool is_throttled() const { return is_short_of_memory_ || stretch_ > 1; }
  std::uint64_t throttled_count() const { return throttled_count_; }
  // How many times as long every interval is.
  double stretch() const { return is_short_of_memory_ ? stretch_ * 2 : stretch_; }
  std::uint64_t free_bytes() const;

private:
  void set(bool is_short_of_memory, double stretch);

  LimitsConfig limits_;
  std::uint64_t resident_bytes_ = 0;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> cpu_; // time and CPU time, of a minute
  bool is_short_of_memory_ = false;
  double stretch_ = 1;
  std::uint64_t throttled_count_ = 0;
};

} // namespace mapscope
