// What `verify` concludes of a target, and the numbers that it concludes it from: made by
// judge/, shown by report/.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/attributed_event.h"
#include "flow/binary_facts.h"

namespace mapscope {

// How often one system call was made. Its class is that of the call alone, whatever
// descriptor it was made on.
struct CallCount {
  std::string name; // "mmap"
  call_class klass = CALL_CLASS_OTHER;
  std::uint64_t inside = 0; // map operations
  std::uint64_t outside = 0;
};

// What was counted while the target was watched: the kernel side's counters summed over
// CPUs, and what got lost on the way to the judge.
struct VerifyCounts {
  target_counts kernel{};
  std::vector<CallCount> calls; // kernel.calls_inside and calls_outside, by name; none zero
  std::array<event_stats, EVENT_KIND_COUNT> events{}; // indexed by event_kind
  DropCounts dropped{};
};

struct VerifyTarget {
  ProcessKey process;
  std::string exe;
  std::string go_version; // "go1.26.8"; empty: not known
  MapImplementation map_implementation = MapImplementation::none;
  std::string build_id; // empty: none
};

// What was looked at, and how.
struct VerifyScope {
  // Off (--light): no probe opens windows, and the stack is the only witness.
  bool windows = true;
  // The descriptors of calls outside map operations were looked at too; off: such calls have
  // the class of the call alone, so a write to a pipe out there counts as a file call.
  bool outside_refined = false;
  // Whose counts are complete: all their functions are probed and no copy of them is inlined
  // elsewhere, or the binary has none. Indexed by map_operation and heap_request.
  std::bitset<MAP_OPERATION_COUNT> covered_operations;
  std::bitset<HEAP_REQUEST_LARGE + 1> covered_heap;
};

struct VerifyCost {
  std::optional<std::uint64_t> tool_cpu_ns;   // user and system time of mapscope itself
  std::optional<std::uint64_t> kernel_cpu_ns; // BPF programs, where the kernel measures them
  std::optional<std::uint64_t> probe_hits;
};

// How the command that was run has ended; both absent: it still runs.
struct CommandEnd {
  std::optional<int> exit_status;
  std::optional<int> signal;
};

// Everything about a run that is not in its events or counters.
struct VerifyRun {
  VerifyTarget target;
  std::optional<CommandEnd> command; // absent: the target ran already
  VerifyScope scope;
  std::uint64_t duration_ns = 0;
  VerifyCost cost;
  std::vector<std::string> doubts; // sentences; each of them forbids `clean`
  std::vector<std::string> notes;  // sentences worth reading that decide nothing
};

enum class Outcome { clean, violated, inconclusive };

// Alike file calls, one after the other, of one goroutine in one map operation: one
// diagnostic line of the runtime is some 39 writes.
struct Violation {
  AttributedCall first;
  std::uint64_t count = 1;
};

struct OperationTotals {
  // Absent: not covered.
  std::optional<std::uint64_t> created, grown, split, cleared, copied, pruned, first_groups;
  std::uint64_t on_stack = 0; // operations on maps whose header lies on a goroutine's stack
  std::uint64_t observed = 0; // all entries of probed functions: one growth may be several
};

struct HeapTotals {
  // Absent: not covered.
  std::optional<std::uint64_t> large_allocations, large_allocation_bytes;
  std::optional<std::uint64_t> grown_count, grown_bytes;
};

struct MemoryCallTotals {
  std::uint64_t calls = 0;
  std::uint64_t inside = 0; // of them in map operations
  // What the calls that succeeded were about: mapped, unmapped, advised; for brk, how far
  // the break moved up. Absent: not every one of the calls was seen with its result.
  std::optional<std::uint64_t> bytes;
};

struct WitnessTotals {
  // Calls of all classes inside map operations. Absent: windows were off.
  std::optional<std::uint64_t> both, window_only;
  std::uint64_t stack_only = 0;  // a disagreement, unless windows were off
  std::uint64_t under_write = 0; // allocation straight under a write: only the stack can see it
};

struct FileCallExample {
  std::string call;
  std::string path;
  friend bool operator==(const FileCallExample &, const FileCallExample &) = default;
};

// Indexed by call_class.
using ClassTotals = std::array<std::uint64_t, CALL_CLASS_COUNT>;

struct Verdict {
  Outcome outcome = Outcome::inconclusive;
  std::vector<std::string> reasons; // why it is inconclusive, or what a violated one still lacks
  VerifyRun run;
  VerifyCounts counts;
  OperationTotals operations;
  HeapTotals heap_inside, heap_outside; // of map operations
  ClassTotals inside{}, outside{};
  ClassTotals io_uring_inside{}, io_uring_outside{}; // requests, which are no system calls
  std::map<std::string, MemoryCallTotals>
      memory_calls; // by name; brk, madvise, mmap, munmap always
  std::vector<Violation> violations;
  std::uint64_t violations_not_shown = 0; // folded violations beyond the number that is kept
  std::uint64_t file_calls_inside = 0;    // every one, folded or without details
  WitnessTotals witnesses;
  std::vector<FileCallExample> outside_examples;
};

} // namespace mapscope
