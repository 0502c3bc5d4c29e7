// One look at the heap of a process: what the runtime counts itself, and what a census counted.
// Made by heap/, shown by report/, and later judged by rules.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mapscope {

// All spans of one size class.
struct SizeClassUse {
  std::uint64_t object_bytes = 0; // 0: large objects, one a span
  bool has_pointers = false;
  std::uint64_t span_count = 0, span_bytes = 0;
  std::uint64_t object_count = 0; // allocated, garbage not yet swept included
  std::uint64_t free_bytes = 0;   // of slots that are free
  std::uint64_t tail_bytes = 0;   // of spans, where no further object fits; bitmaps included
};

// As the runtime counts, at the moment that it was read; absent where it could not be read.
// Go source: runtime/mstats.go, runtime/mgcpacer.go.
struct HeapStatistics {
  std::optional<std::uint64_t> live_bytes;      // marked by the last collection
  std::optional<std::uint64_t> allocated_bytes; // of objects not yet swept: HeapAlloc
  std::optional<std::uint64_t> in_use_bytes;    // of spans in use: HeapInuse
  std::optional<std::uint64_t> idle_bytes;      // of spans not in use, released ones included
  std::optional<std::uint64_t> released_bytes;  // given back to the kernel
  std::optional<std::uint64_t> goal_bytes;  // at which the next collection ends; absent: GOGC=off
  std::optional<std::uint64_t> limit_bytes; // GOMEMLIMIT; absent: none, or before 1.19
  std::optional<std::uint64_t> gc_cycles;   // finished
  std::optional<std::uint64_t> objects_allocated, objects_freed; // since the start
  std::vector<SizeClassUse> size_classes;                        // as the census saw the spans
};

// Where each candidate of a census went. Their sum is candidate_count.
struct CensusCounts {
  std::uint64_t candidate_count = 0; // allocated objects with the pointers of a header
  std::uint64_t map_count = 0;       // copies not among them
  std::uint64_t copy_count = 0;      // headers that point to what another header points to
  std::uint64_t rejected_count = 0;  // held still and contradicted itself: not a map
  std::uint64_t unsettled_count = 0; // changed faster than it could be read
  std::uint64_t gone_count = 0;      // freed meanwhile
  std::uint64_t too_large_count = 0; // more than 4 million tables, or than 16 GiB of buckets

  std::uint64_t retried_count = 0; // of all these, read again
  // What was not looked into.
  std::uint64_t span_left_out_count = 0, header_span_unsettled_count = 0;
  std::uint64_t header_span_left_out_count = 0; // time was up
  std::uint64_t stack_left_out_count = 0; // goroutines whose stacks were not searched for headers
};

} // namespace mapscope
