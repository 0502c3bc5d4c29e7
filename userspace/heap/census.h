// Every map on the heap of a Go process, read from outside while it runs.
//
// Not seen: maps whose header lies on a goroutine's stack.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_sample.h"
#include "heap/map_table.h"
#include "heap/runtime_data.h"

namespace mapscope {

enum class CensusLevel {
  headers, // addresses, seeds and lengths; slots and bytes are 0, all evidence is plausible
  maps,    // and what headers point to
};

struct CensusOptions {
  CensusLevel level = CensusLevel::maps;
  // Maps that are decoded together: more read fewer pages twice, fewer stay in the processor's
  // caches. 2^13 took a tenth less time than 2^15 where neighbours were made together.
  std::uint32_t maps_at_once = 1 << 13;
  // Maps whose directory or array of buckets is larger are decoded alone.
  std::uint64_t contents_bytes_at_once = 1 << 20;
  unsigned tries_max = 20; // of a map that contradicts itself, since it may be changing
};

struct HeapStatistics {
  std::uint64_t gc_cycles = 0; // begun since the start
  std::uint64_t span_count = 0;
  std::uint64_t in_use_bytes = 0;                               // of spans that hold objects
  std::uint64_t large_object_count = 0, large_object_bytes = 0; // above 32 KiB
};

// A header that points to what another header points to: a bitwise copy. Which of the two is the
// map is not known; one is among the maps, this one is not.
struct HeaderCopy {
  ProcessAddress address;
  ProcessAddress contents; // directory, group or buckets that both have
};

// Where each candidate went. Their sum is candidate_count.
struct CensusCounts {
  std::uint64_t candidate_count = 0; // allocated objects with the pointers of a header
  std::uint64_t map_count = 0;       // copies not among them
  std::uint64_t copy_count = 0;
  std::uint64_t rejected_count = 0;  // held still and contradicted itself: not a map
  std::uint64_t unsettled_count = 0; // changed faster than it could be read
  std::uint64_t gone_count = 0;      // freed meanwhile
  std::uint64_t too_large_count = 0; // more than 4 million tables, or than 16 GiB of buckets

  std::uint64_t retried_count = 0; // of all these, read again
  // What was not looked into.
  std::uint64_t span_left_out_count = 0, header_span_unsettled_count = 0;
};

struct Census {
  MapTable maps; // in the order of addresses, but for those that were read again
  std::vector<HeaderCopy> copies;
  CensusCounts counts;
  HeapStatistics heap;
};

// Errors: unsupported (layout not known, heap too large), not_found (no Go heap: the program may
// have just started), as AddressSpace::read.
Result<Census> take_census(AddressSpace &space, const HeapAnchors &anchors,
                           const BinaryFacts &facts, const CensusOptions &options = {});

} // namespace mapscope
