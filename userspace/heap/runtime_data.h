// Where the Go runtime of a process keeps its heap: runtime.mheap_, found in memory alone, since
// stripped executables do not name data.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "heap/heap_layout.h"

namespace mapscope {

// What the executable tells of the places to look in, at the addresses of this process.
struct HeapAnchors {
  std::vector<ProcessRange> data;               // .bss and .noptrbss: mheap_ lies in one of them
  std::vector<ProcessAddress> mheap_candidates; // from symbols or code; may be empty or wrong
  // The rest of BinaryFacts::variables, and the type descriptors; 0 or empty: not known.
  ProcessAddress gc_controller, statistics, hash_keys;
  ProcessRange types;

  static HeapAnchors of(const BinaryFacts &facts, LoadBias bias);
};

// The heap's root, as it was when it was read.
struct HeapRoot {
  std::uint64_t mheap = 0;
  std::uint32_t sweepgen = 0; // + 2 with each GC cycle
  std::uint64_t spans = 0;    // array of pointers to all mspans
  std::uint64_t span_count = 0;
  std::uint64_t arenas = 0; // array of pointers to heapArenas

  // The heapArena pointer of an address. Go source: runtime/mheap.go, arenaIndex, arenaBase.
  static std::uint64_t arena_index(Machine machine, std::uint64_t address) {
    return (address - arena_base_offset(machine)) >> 26;
  }
  static std::uint64_t arena_start(Machine machine, std::uint64_t index) {
    return (index << 26) + arena_base_offset(machine);
  }
  static std::uint64_t arena_base_offset(Machine machine) {
    return machine == Machine::amd64 ? 0xffff800000000000 : 0;
  }
};

inline constexpr std::uint64_t kArenaIndexMax = 1 << 22; // arenaL2Bits of 64-bit systems

// mheap_ is where every cross-check holds: a slice of spans whose first entries are mspans that
// the arenas name again. Candidates are tried first, then every word of `data`.
//
// Errors: not_found (no place, or several), as AddressSpace::read.
Result<HeapRoot> find_heap(AddressSpace &space, const HeapAnchors &anchors,
                           const HeapLayout &layout);

// The root again, at a known place. Errors: malformed (it no longer makes sense).
Result<HeapRoot> read_root(AddressSpace &space, std::uint64_t mheap, const HeapLayout &layout);

} // namespace mapscope
