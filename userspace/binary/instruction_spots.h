// Where in a function's code a probe can go, told from the code alone.
//
// Go source: cmd/internal/obj/x86/obj6.go and obj/arm64/obj7.go, stacksplit().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "binary/instruction_decoder.h"

namespace mapscope {

// One instruction to put a probe on. Argument registers and the goroutine's register hold
// there what they held at the function's entry, and the stack pointer is that of the entry.
struct ProbeSpot {
  ElfAddress address;
  std::vector<std::uint8_t> expected; // the bytes there: up to 8, not beyond the function
  bool emulated = false;              // see Instruction::emulated
  bool on_stack_check = false;        // on the conditional jump to morestack
};

// The instruction behind the check that the goroutine's stack is large enough. That check
// leaves for runtime.morestack and comes back to the function's entry, so that a probe on the
// entry counts some calls twice.
//
// `push %rbp` (Go 1.21 on), and where that is something the kernel cannot emulate, the
// conditional jump of the check itself, where a hit that is about to jump is none: it comes
// back to the entry. The entry of a function without the check. Errors: malformed.
Result<ProbeSpot> find_entry_spot(const Code &function);

// Every return instruction. Errors: malformed, when decoding gets out of step: bytes that are
// no instruction, or a jump between two of them.
Result<std::vector<ElfAddress>> find_returns(const Code &function);

// Every address that the code computes relative to the program counter, in order.
Result<std::vector<ElfAddress>> find_referenced_addresses(const Code &function);

// Where g lies from the thread's FS base on amd64, read from runtime.stackcheck, which loads
// it first of all. Absent in a shared library, where the loader decides it.
// Go source: runtime/asm_amd64.s, get_tls.
std::optional<std::int32_t> find_tls_offset(const Code &stackcheck);

} // namespace mapscope
