// Rounds: what is to be looked at is put in the order of addresses, read, and followed.
#include "heap/owners/graph_walk.h"

namespace mapscope {

struct GraphWalk::State {
  std::vector<MapWitness> witnesses;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> other_types;
  OwnerCounts counts;
};

GraphWalk::GraphWalk(AddressSpace &, const HeapLayout &, const SpanTable &,
                     std::span<const ProcessRange>, DynamicTypes &, OwnerPatterns &,
                     std::span<const std::uint64_t> maps, const WalkLimits &)
    : state_(std::make_unique<State>()) {
  state_->witnesses.resize(maps.size());
}

GraphWalk::~GraphWalk() = default;

Result<> GraphWalk::follow(std::span<const GraphRoot>) { return {}; }

std::span<const MapWitness> GraphWalk::witnesses() const { return state_->witnesses; }

std::span<const std::pair<std::uint32_t, std::uint64_t>> GraphWalk::other_types() const {
  return state_->other_types;
}

std::uint64_t GraphWalk::word_to(std::uint64_t) const { return 0; }

std::uint32_t GraphWalk::pattern_of(std::uint64_t) const { return 0; }

const OwnerCounts &GraphWalk::counts() const { return state_->counts; }

} // namespace mapscope
