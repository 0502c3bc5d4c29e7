// The goroutines of a Go process and the inner parts of their stacks, read in a few calls.
#pragma once

#include <cstddef>

#include "base/address.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/run_observer.h"

namespace mapscope {

struct GoroutineLimits {
  std::size_t listed_max = 16'384; // entries of runtime.allgs, those of ended goroutines included
  std::size_t stacks_max = 4'096;  // running goroutines first, then in the order of the list
  std::size_t words_max = 512;     // of one stack: 4 KiB
};

// Every goroutine that has not ended, with the words of its stack from its innermost frame on.
// Where a running one is now is not known: its words are the outermost ones, in most programs all
// that it uses. A stack that could not be read, since it moved meanwhile, has no words.
//
// The process runs on meanwhile: nothing here agrees with anything else for certain. `is_complete`
// is false where a goroutine is missing or may be: beyond a limit, unreadable, or made meanwhile.
// The caller fills in `index` and `time_ns`.
//
// Errors: unsupported (the binary does not tell where goroutines are listed, or how they look),
// malformed (what lies there is no list of goroutines), and those of AddressSpace::read.
// Go source: runtime/proc.go (allgs), runtime/runtime2.go (g, gobuf, stack).
Result<GoroutineSnapshot> read_goroutines(AddressSpace &memory, const BinaryFacts &facts,
                                          LoadBias bias, const GoroutineLimits &limits = {});

} // namespace mapscope
