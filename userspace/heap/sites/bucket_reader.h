// The runtime's table of sampled stacks, bucket by bucket.
//
// Go source: runtime/mprof.go, bucket, memRecord, stkbucket.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "heap/sites/allocation_profile.h"

namespace mapscope {

struct ListedBucket {
  AllocationBucket bucket;
  std::uint64_t next = 0; // of the list of all; 0: the last
};

class BucketReader {
public:
  // Errors: unsupported (layout not known).
  static Result<BucketReader> open(AddressSpace &space, const BinaryFacts &facts);

  // Nothing where no bucket of the memory profile lies. Errors: as AddressSpace::read.
  Result<std::optional<ListedBucket>> read(std::uint64_t address, std::uint64_t frames_max);

private:
  static constexpr std::size_t kRecords = 4; // of finished cycles, and of three that are not
  struct Layout {
    std::uint32_t size = 0, next = 0, kind = 0, object_size = 0, depth = 0;
    std::uint32_t record_size = 0;
    std::array<std::uint32_t, kRecords> allocs{}, frees{}; // in the record
  };

  BucketReader(AddressSpace &space, const Layout &layout) : space_(space), layout_(layout) {}

  static Result<Layout> layout_of(const BinaryFacts &facts);
  // Buckets lie close together and never move, so memory is read in blocks that are kept a while.
  Result<bool> copy(std::uint64_t address, std::span<std::byte> into);

  AddressSpace &space_;
  Layout layout_;
  std::unordered_map<std::uint64_t, std::vector<std::byte>> blocks_; // empty: can't be read
};

} // namespace mapscope
