// The bytes of a process as they were when they were first asked for. What one reader found to
// agree, a second one then takes apart without the program changing it in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"

namespace mapscope {

class KeptMemory final : public AddressSpace {
public:
  // Beyond `bytes_max` nothing more is kept, and later reads are of what is there by then.
  KeptMemory(AddressSpace &space, std::uint64_t bytes_max) : space_(space), left_(bytes_max) {}

  Result<> read(std::span<MemoryRead> reads) override;
  bool is_of_many_moments() const override { return space_.is_of_many_moments(); }
  Result<std::vector<Mapping>> mappings() override { return space_.mappings(); }
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override {
    return space_.resident_pages(ranges);
  }

private:
  bool take_kept(MemoryRead &read) const;
  void keep(const MemoryRead &read);

  AddressSpace &space_;
  std::uint64_t left_;
  std::map<std::uint64_t, std::vector<std::byte>> kept_; // by address
  std::vector<MemoryRead> missing_;
  std::vector<std::size_t> missing_index_;
};

} // namespace mapscope
