// What a run of `trace` adds up to, as `strace -c` does for system calls: by the line that changed
// maps and their type. Made by judge/, shown by report/.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/event.h"
#include "flow/source.h"
#include "flow/verdict.h"

namespace mapscope {

struct NamedCount {
  std::string name; // a key of JSON: "stacks_unknown"
  std::uint64_t count = 0;
  friend bool operator==(const NamedCount &, const NamedCount &) = default;
};

// How a run ended, and what of it did not arrive.
struct TraceEnd {
  std::uint64_t time_ns = 0;                          // CLOCK_MONOTONIC
  std::array<event_stats, EVENT_KIND_COUNT> events{}; // indexed by event_kind
  std::array<__u64, LOSS_COUNT> lost{};               // of all targets, indexed by loss
  DropCounts dropped{};
  std::vector<NamedCount> unknown; // of events that arrived: what could not be told of them
  std::optional<CommandEnd> command;
  std::vector<std::string> notes; // sentences: what the probes did not see
};

// What a size hint would have done for maps that grew again and again, as far as they were seen.
struct SizeHint {
  std::uint64_t hint = 0;    // for make(): the entries that `slots` hold
  std::uint64_t slots = 0;   // that it allocates: a power of two
  std::uint64_t maps = 0;    // that would not have grown with it
  std::uint64_t growths = 0; // of theirs, which it would have saved
  // Of allocation: what the growths asked for, less what the hinted maps would ask for at once.
  // Absent: not every growth told its bytes.
  std::optional<std::uint64_t> bytes;
  bool is_at_creation = false; // the row's line makes the maps; else it is where they grow
  friend bool operator==(const SizeHint &, const SizeHint &) = default;
};

// Operations at one line on maps of one type.
struct TraceSummaryRow {
  std::optional<SourceFrame> site; // absent: not known
  std::string type;                // empty: not known
  std::uint64_t created = 0, cloned = 0, grown = 0, split = 0, rehashed = 0, cleared = 0;
  std::uint64_t bytes = 0;              // asked of the heap, by the operations that told
  std::uint64_t bytes_not_told = 0;     // operations that did not
  std::optional<std::uint64_t> len_max; // entries when an operation began
  std::optional<SizeHint> hint;

  std::uint64_t operations() const { return created + cloned + grown + split + rehashed + cleared; }

  // Adds the numbers of another row; site, type and hint stay.
  TraceSummaryRow &operator+=(const TraceSummaryRow &other) {
    created += other.created;
    cloned += other.cloned;
    grown += other.grown;
    split += other.split;
    rehashed += other.rehashed;
    cleared += other.cleared;
    bytes += other.bytes;
    bytes_not_told += other.bytes_not_told;
    len_max = std::max(len_max, other.len_max); // absent is the least
    return *this;
  }
};

struct CallSummary {
  std::string name; // "mmap"
  std::uint64_t calls = 0;
  std::uint64_t inside = 0; // of them in map operations
  std::uint64_t errors = 0;
  std::uint64_t bytes = 0;          // of calls that succeeded
  std::uint64_t bytes_not_told = 0; // calls whose bytes are not known
};

struct RequestSummary {
  std::uint64_t count = 0, bytes = 0;
  std::uint64_t inside_count = 0, inside_bytes = 0; // of them in map operations
};

struct TraceSummary {
  std::uint64_t duration_ns = 0;
  std::vector<TraceSummaryRow> rows; // most bytes first
  // Operations at lines that came when no more could be kept, in one row without a site.
  std::optional<TraceSummaryRow> not_kept;
  TraceSummaryRow total;            // without site, type and hint
  std::uint64_t maps_forgotten = 0; // maps seen again after their state had to be given up
  // Absent: left out by a filter, so that nothing is known of them.
  std::optional<std::vector<CallSummary>> memory_calls; // by name
  std::optional<RequestSummary> heap_grown, large_allocations;
  std::uint64_t file_calls = 0; // inside map operations
  std::uint64_t misuses = 0;
  TraceEnd end;
};

} // namespace mapscope
