// Maps whose header lies on the stack of a goroutine, where no census of the heap sees it: those
// that the compiler found not to escape. What they hold beyond their first group or bucket is on
// the heap all the same.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_sample.h"
#include "heap/runtime_data.h"

namespace mapscope {

struct StackMap {
  MapSample map; // is_on_stack
  std::uint64_t goroutine = 0;
};

struct StackMaps {
  std::vector<StackMap> maps; // in the order of addresses
  std::uint64_t searched_count = 0;
  // Goroutines that ran on whenever they were looked at, so that where their stack ends is not
  // known; and stacks beyond a limit, of which the outermost frames were searched at most.
  std::uint64_t left_out_count = 0;
};

struct StackLimits {
  std::uint64_t goroutines_max = 1 << 20; // entries of runtime.allgs, ended ones included
  std::uint64_t stack_bytes_max = 256 << 10;
  std::uint64_t bytes_max = 64 << 20; // of all stacks
  unsigned rounds_max = 4;            // looks at goroutines that run
};

// `all_goroutines`: of runtime.allgs in the process, BinaryFacts::all_goroutines. Not found are
// maps without room for an entry, and classic maps without an entry. Errors: unsupported (the
// binary does not tell where goroutines are listed, or how they look), malformed (what lies there
// is no list of goroutines), as take_census().
// Go source: runtime/proc.go (allgs), runtime/runtime2.go (g, gobuf, stack).
Result<StackMaps> find_stack_maps(AddressSpace &space, const HeapAnchors &anchors,
                                  const BinaryFacts &facts, ProcessAddress all_goroutines,
                                  const StackLimits &limits = {});

} // namespace mapscope
