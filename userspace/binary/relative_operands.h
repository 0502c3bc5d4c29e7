// Operands of amd64 code that are told by their distance from the program counter, found without
// decoding what lies between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mapscope {

// Opcodes and registers of instructions that callers look for.
inline constexpr std::uint8_t kLea = 0x8d, kMovFromMemory = 0x8b, kMovToMemory = 0x89;
inline constexpr unsigned kRax = 0, kRcx = 1, kRbx = 3, kRsi = 6;

struct RelativeOperand {
  std::size_t start = 0, end = 0; // of the instruction
  std::uint64_t target = 0;
  std::uint8_t opcode = 0;
  unsigned reg = 0; // 0 to 15
};

// How many bytes of a constant follow the distance; negative: no such instruction that works on
// eight bytes. Opcodes: Intel SDM, volume 2, appendix A.
constexpr int constant_bytes(std::uint8_t opcode) {
  switch (opcode) {
  case 0x01: // add, sub, cmp, test, xchg, mov, lea
  case 0x03:
  case 0x29:
  case 0x2b:
  case 0x39:
  case 0x3b:
  case 0x85:
  case 0x87:
  case kMovToMemory:
  case kMovFromMemory:
  case kLea:
    return 0;
  case 0x83: // with a byte
    return 1;
  case 0x81: // with four
  case 0xc7:
    return 4;
  default:
    return -1;
  }
}

// Calls visit(RelativeOperand) for each in `code`, which lies at `address`: of instructions on
// eight bytes (REX.W), and of movups, which reads and clears pairs of words.
template <typename Visit>
void for_each_relative_operand(std::span<const std::byte> code, std::uint64_t address,
                               Visit visit) {
  constexpr std::size_t kDistanceBytes = 4, kFrontMax = 3;
  constexpr std::uint8_t kModMask = 0xc7, kRelative = 0x05; // modrm: mod 0, rm 5
  const auto *bytes = reinterpret_cast<const std::uint8_t *>(code.data());
  for (std::size_t at = 2; at + kDistanceBytes < code.size(); ++at) {
    if ((bytes[at] & kModMask) != kRelative)
      continue;
    const std::uint8_t opcode = bytes[at - 1], prefix = bytes[at - 2];
    const bool is_wide = (prefix & 0xfb) == 0x48; // REX.W, with or without REX.R
    const int constant = is_wide ? constant_bytes(opcode) : -1;
    const bool is_pair = prefix == 0x0f && (opcode == 0x10 || opcode == 0x11); // movups
    if (constant < 0 && !is_pair)
      continue;
    std::int32_t distance;
    std::memcpy(&distance, bytes + at + 1, sizeof(distance));
    const std::size_t end =
        at + 1 + kDistanceBytes + static_cast<std::size_t>(is_pair ? 0 : constant);
    if (end > code.size())
      continue;
    const bool has_rex = is_pair && at >= kFrontMax && (bytes[at - 3] & 0xf0) == 0x40;
    visit(RelativeOperand{.start = at - (has_rex ? 3 : 2),
                          .end = end,
                          .target = address + end + static_cast<std::uint64_t>(distance),
                          .opcode = opcode,
                          .reg = (bytes[at] >> 3 & 7U) | ((is_wide && (prefix & 4U)) ? 8U : 0U)});
  }
}

} // namespace mapscope
