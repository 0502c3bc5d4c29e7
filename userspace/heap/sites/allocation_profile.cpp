// Level by level: the n-th special of all spans with one read.
#include "heap/sites/allocation_profile.h"

namespace mapscope {

Result<AllocationProfile> read_allocation_profile(AddressSpace &, const BinaryFacts &, LoadBias,
                                                  const HeapLayout &, const SpanTable &,
                                                  const ProfileLimits &) {
  return AllocationProfile{};
}

} // namespace mapscope
