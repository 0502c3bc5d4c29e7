// What the watcher of events does by itself, whatever the configuration says: its pace and its
// bounds. Tests make it quicker and smaller.
#pragma once

#include <chrono>
#include <cstdint>

namespace mapscope {

// CPU time that one hit of a probe takes from the process, its program included.
inline constexpr std::uint64_t kEventHitNs = 1'200;

struct EventTuning {
  // Rates.
  std::chrono::milliseconds rate_window{60'000};      // what one RateSample is about
  std::chrono::milliseconds rate_window_max{300'000}; // where few moments could be had
  std::uint32_t moments_min = 5;                      // of a sample, before rate_window_max
  std::chrono::milliseconds look{500};   // at the CPU time of processes, and who is next
  std::chrono::milliseconds pause{2000}; // between two moments of one process
  double placing_share = 0.003;          // of a core: what placing and taking off costs us, for all
  std::uint32_t sites_max = 4096;        // of one moment
  // Misuse.
  std::uint32_t misuse_ring_bytes = 256U << 10; // a power of two
  std::uint32_t misuse_targets_max = 1024;
  // Hits a second of one process from which on they cost it too much: each panic is one. Then the
  // probes go until `retry` is over.
  std::uint32_t misuse_hits_per_second = 5000;
  std::uint32_t misuses_per_minute = 10; // of one process; those above are counted
  // Verification.
  std::uint32_t window_targets = 16; // at once
  std::uint32_t window_ring_bytes = 1U << 20;
  std::chrono::milliseconds new_process{5000}; // younger ones are verified from their start
  double scheduled_share = 0.05; // of the time; as much again may have been saved in an hour
  double at_start_share = 0.25;  // of the time, for windows at starts
  // After the kernel refused to load programs.
  std::chrono::milliseconds retry{600'000};
};

} // namespace mapscope
