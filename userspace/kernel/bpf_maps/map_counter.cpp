// Counters, positions, keys; see map_counter.h.
#include "kernel/bpf_maps/map_counter.h"

#include <utility>

namespace mapscope {

struct MapCounter::State {
  std::string problem;
};

MapCounter::MapCounter(std::unique_ptr<State> state) : state_(std::move(state)) {}
MapCounter::MapCounter(MapCounter &&) noexcept = default;
MapCounter &MapCounter::operator=(MapCounter &&) noexcept = default;
MapCounter::~MapCounter() = default;

MapCounter MapCounter::start() { return MapCounter{std::make_unique<State>()}; }

MapCounts MapCounter::count(std::span<const BpfMapFacts> maps, const MapCounterOptions &) {
  return {.fills = std::vector<BpfMapFill>(maps.size())};
}

const std::string &MapCounter::problem() const { return state_->problem; }

} // namespace mapscope
