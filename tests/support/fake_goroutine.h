// A goroutine made by hand: memory that looks like Go's g and m, and calls that look like
// those of Go code, so that the BPF programs can be tested without a Go program.
#pragma once

#include <array>
#include <cstdint>

#include "bpf/contract/targets.h"

namespace mapscope::testing {

// Offsets as in Go 1.26 (go-layouts); any would do, since the programs are told them.
inline constexpr std::uint32_t kGoid = 152, kSched = 56, kM = 48, kCurg = 184;

struct FakeRuntime {
  std::array<std::uint64_t, 32> g{};  // runtime.g
  std::array<std::uint64_t, 32> g0{}; // of the thread
  std::array<std::uint64_t, 32> m{};  // runtime.m

  FakeRuntime(std::uint64_t stack_lo, std::uint64_t stack_hi, std::uint64_t goid) {
    g[0] = stack_lo;
    g[1] = stack_hi;
    g[kM / 8] = reinterpret_cast<std::uint64_t>(m.data());
    g[kGoid / 8] = goid;
    g0[kM / 8] = g[kM / 8];
    m[0] = reinterpret_cast<std::uint64_t>(g0.data());
    m[kCurg / 8] = reinterpret_cast<std::uint64_t>(g.data());
  }
};

inline target fake_layout() {
  target settings{};
  settings.flags = TARGET_GO | TARGET_BIAS_KNOWN;
  settings.g_m = kM;
  settings.g_goid = kGoid;
  settings.g_sched_sp = kSched;
  settings.g_sched_pc = kSched + 8;
  settings.g_sched_bp = kSched + 40;
  settings.m_curg = kCurg;
  return settings;
}

} // namespace mapscope::testing
