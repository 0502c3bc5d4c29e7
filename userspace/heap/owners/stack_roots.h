// The words of goroutines' stacks that point into the heap or the program's data, each with the
// function whose frame it lies in.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "heap/goroutine_stacks.h"
#include "heap/span_table.h"

namespace mapscope {

struct StackFrame {
  std::uint64_t goroutine = 0; // its id
  // In the frame's function: where the goroutine is, or returns to, less 1. 0: not known, and what
  // lies further out on this stack is in this frame, too.
  std::uint64_t pc = 0;
  // The goroutine ran whenever it was looked at: this is all of its stack (pc is 0), read while it
  // changed, with what calls that are over left there.
  bool is_running = false;
};

// What the compiler says of a word of a frame.
enum class Liveness : std::uint8_t {
  live,     // it holds a pointer that is still used
  possible, // a variable whose address is taken, or nothing is said
  dead,     // what was there is over, or it is no pointer
};

struct StackWord {
  std::uint64_t address = 0, value = 0;
  std::uint32_t frame = 0; // index in StackRoots::frames
  Liveness liveness = Liveness::possible;
};

struct StackRoots {
  std::vector<StackFrame> frames; // one goroutine after the other, innermost first
  // In the order of frames; those of goroutines that run are the last. The closure that a goroutine
  // starts with or goes on with, which lies in its g and not on its stack, counts as the innermost
  // frame's.
  std::vector<StackWord> words;
  std::uint64_t goroutine_count = 0;
  std::uint64_t left_out_count = 0; // ran whenever they were looked at, or lay beyond a limit

  // The frame that an address on a stack lies in; null: on none of these stacks.
  const StackFrame *frame_at(std::uint64_t address) const;

  struct FrameRange {
    std::uint64_t start = 0, end = 0; // on the stack
    std::uint32_t frame = 0;
  };
  std::vector<FrameRange> ranges; // in the order of addresses
};

struct StackRootLimits {
  std::uint64_t goroutines_max = 1 << 20;
  std::uint64_t stack_bytes_max = 1 << 20; // of one, the outermost frames
  std::uint64_t bytes_max = 256 << 20;
  std::uint64_t words_max = 8 << 20;
  std::uint64_t frames_max = 2 << 20; // that are told apart
  unsigned rounds_max = 7;            // looks at goroutines that run
};

// `data`: the program's own variables, which words may point to as well. `list`: runtime.allgs.
// Errors: as GoroutineStacks::open.
Result<StackRoots> read_stack_roots(AddressSpace &space, const BinaryFacts &facts, LoadBias bias,
                                    const SpanTable &spans, std::span<const ProcessRange> data,
                                    const StackRootLimits &limits = {});

} // namespace mapscope
