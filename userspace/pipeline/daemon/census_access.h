// The memory of a process that is read until somebody says stop: passes over a heap end within a
// call, and have no other place to ask.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "flow/address_space.h"

namespace mapscope {

class CensusAccess final : public AddressSpace {
public:
  // `stop` is asked before every few thousand ranges; what it fails with ends the pass.
  CensusAccess(std::unique_ptr<AddressSpace> memory, std::function<Result<>()> stop)
      : memory_(std::move(memory)), stop_(std::move(stop)) {}

  Result<> read(std::span<MemoryRead> reads) override {
    constexpr std::size_t kAtOnce = 4096;
    do {
      TRY(stop_());
      const auto some = reads.first(std::min(reads.size(), kAtOnce));
      reads = reads.subspan(some.size());
      TRY(memory_->read(some));
    } while (!reads.empty());
    return {};
  }
  bool is_of_many_moments() const override { return memory_->is_of_many_moments(); }
  Result<std::vector<Mapping>> mappings() override {
    TRY(stop_());
    return memory_->mappings();
  }
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override {
    TRY(stop_());
    return memory_->resident_pages(ranges);
  }

private:
  std::unique_ptr<AddressSpace> memory_;
  std::function<Result<>()> stop_;
};

} // namespace mapscope
