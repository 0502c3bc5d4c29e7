// How many entries each map has, by the cheapest way that is true: the kernel's own counters and
// positions, else keys gone through, else a sample; within a budget of CPU time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct MapCounterOptions {
  std::chrono::nanoseconds budget{std::chrono::milliseconds{100}}; // CPU time for one count()
  bool array_values = false; // arrays: entries that are not zero
  bool use_programs = true;  // off: keys are gone through, as where the kernel refuses programs
};

struct MapCounts {
  std::vector<BpfMapFill> fills; // by index of what was asked
  std::uint64_t cpu_ns = 0;
  std::uint64_t not_counted = 0; // the budget did not suffice: method sampled or unknown says so
};

class MapCounter {
public:
  // Loads what the kernel takes of the counting programs; without any, keys are walked. `problem`
  // below says why.
  static MapCounter start();
  MapCounter(MapCounter &&) noexcept;
  MapCounter &operator=(MapCounter &&) noexcept;
  ~MapCounter();

  // Never holds a lock of the map for longer than the kernel does for one batch. Small maps first.
  MapCounts count(std::span<const BpfMapFacts> maps, const MapCounterOptions &options = {});
  const std::string &problem() const; // why the kernel's counters can't be read; empty: they can

private:
  struct State;
  explicit MapCounter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
