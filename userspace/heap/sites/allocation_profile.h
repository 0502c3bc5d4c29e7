// The runtime's own memory profile, read from outside: which living objects it sampled, and the
// stack that allocated each.
//
// Go source: runtime/mprof.go (bucket, memRecord), runtime/mheap.go (special, specialprofile).
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_owner.h"
#include "heap/runtime_data.h"
#include "heap/span_table.h"

namespace mapscope {

// One stack that allocated, and what the profile counts of it, not scaled.
struct AllocationBucket {
  std::uint64_t address = 0;        // in the process: what it is known by
  std::vector<std::uint64_t> stack; // return addresses, innermost first
  std::uint64_t object_bytes = 0;   // what the samples of it asked for, each
  std::uint64_t allocs = 0, frees = 0, alloc_bytes = 0, free_bytes = 0;
};

struct SampledObject {
  std::uint64_t address = 0; // start of its slot
  std::uint32_t bucket = 0;  // index
};

struct AllocationProfile {
  std::vector<AllocationBucket> buckets;
  std::vector<SampledObject> objects; // in the order of addresses
  SiteCounts counts;
  bool has_all_buckets = false; // those without living objects too
};

struct ProfileLimits {
  std::uint64_t objects_max = 4 << 20;
  std::uint64_t buckets_max = 1 << 18;
  std::uint64_t frames_max = 1024; // of one stack
};

// Errors: unsupported (layout not known), as AddressSpace::read. A program that takes no samples
// has an empty profile. The memory that samples are recorded in is used again and again, so that an
// object of a process that runs may have the bucket of another: see find_sampled_parts().
Result<AllocationProfile> read_allocation_profile(AddressSpace &space, const BinaryFacts &facts,
                                                  LoadBias bias, const HeapLayout &layout,
                                                  const SpanTable &spans,
                                                  const ProfileLimits &limits = {});

// runtime.MemProfileRate as the process has it now. Errors: as AddressSpace::read.
Result<> read_profile_rate(AddressSpace &space, const BinaryFacts &facts, LoadBias bias,
                           SiteCounts &counts);

} // namespace mapscope
