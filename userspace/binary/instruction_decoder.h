// Machine code as a sequence of instructions, with just what placing a probe and finding the
// arguments of a call ask of each.
//
// Decoding a function from its first byte is exact for Go code: jump tables lie in read-only
// data, and padding is int3. Bytes that are no instruction are an error on amd64, where all
// that follows would be read out of step; arm64 keeps its literals and zero padding in the
// text, and stays in step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/binary_facts.h"

namespace mapscope {

// The bytes of one function, and where it is linked to.
struct Code {
  Machine machine = Machine::amd64;
  ElfAddress start;
  std::span<const std::byte> bytes;

  ElfRange range() const { return {start, bytes.size()}; }
};

enum class InstructionKind {
  push,             // of one register
  jump,             // to a fixed place
  conditional_jump, // to a fixed place
  call,             // of a fixed place
  indirect_jump,    // to where a register or memory says: a switch, or a call in tail position
  ret,
  address, // computes an address from the program counter: lea on amd64, adrp with add on arm64
  literal, // loads data that lies between the instructions (arm64)
  other,
};

struct Instruction {
  ElfAddress address;
  std::uint8_t size_bytes = 0;
  InstructionKind kind = InstructionKind::other;
  // The kernel executes it itself when a probe sits on it, without a single step: 15 times
  // cheaper in a virtual machine.
  bool emulated = false;
  // Leaves something else in the register of a Go call's first argument, RAX or R0, or may do so.
  // An `address` leaves its target there whole.
  bool sets_first_argument = false;
  bool sets_second_argument = false; // the same of RBX or R1
  bool sets_fifth_argument = false;  // the same of RSI or R4
  std::optional<ElfAddress> target;  // of jumps and calls; the address of `address` and `literal`
  // The variable of eight bytes that it reads or writes, by an offset from the program counter
  // (amd64 only: arm64 needs two instructions).
  std::optional<ElfAddress> variable;

  ElfAddress end() const { return {address.value + size_bytes}; }
};

// At most `count_max` instructions from the front, fewer where the code ends. Errors:
// malformed, when bytes are no instruction.
Result<std::vector<Instruction>> decode(const Code &code, std::size_t count_max = SIZE_MAX);

} // namespace mapscope
