// The one place that knows Capstone.
#include "binary/instruction_decoder.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include <capstone/capstone.h>

namespace mapscope {
namespace {

// Capstone's handle is a number, and zero is none.
class Disassembler {
public:
  static Result<Disassembler> open(Machine machine) {
    Disassembler opened;
    bool amd64 = machine == Machine::amd64;
    cs_err status = cs_open(amd64 ? CS_ARCH_X86 : CS_ARCH_ARM64,
                            amd64 ? CS_MODE_64 : CS_MODE_LITTLE_ENDIAN, &opened.handle_);
    if (status == CS_ERR_OK)
      status = cs_option(opened.handle_, CS_OPT_DETAIL, CS_OPT_ON);
    if (status != CS_ERR_OK)
      return fail(Errc::system, "starting the instruction decoder: {}", cs_strerror(status));
    opened.instruction_.reset(cs_malloc(opened.handle_));
    return opened;
  }
  Disassembler(Disassembler &&other) noexcept
      : handle_(std::exchange(other.handle_, 0)), instruction_(std::move(other.instruction_)) {}
  Disassembler &operator=(Disassembler &&) = delete;
  ~Disassembler() {
    instruction_.reset();
    if (handle_ != 0)
      cs_close(&handle_);
  }

  // Nothing where the bytes at `offset` are no instruction. Valid until the next call.
  const cs_insn *decode_at(const Code &code, std::size_t offset) {
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(code.bytes.data()) + offset;
    std::size_t size = code.bytes.size() - offset;
    std::uint64_t address = code.start.value + offset;
    return cs_disasm_iter(handle_, &bytes, &size, &address, instruction_.get()) ? instruction_.get()
                                                                                : nullptr;
  }
  bool is_jump(const cs_insn &insn) const { return cs_insn_group(handle_, &insn, CS_GRP_JUMP); }

private:
  struct Free {
    void operator()(cs_insn *instruction) const { cs_free(instruction, 1); }
  };

  Disassembler() = default;
  csh handle_ = 0;
  std::unique_ptr<cs_insn, Free> instruction_;
};

// The registers of the first arguments of a Go call.
enum class Argument { first, second, fifth };

// Any part of them. A write that Capstone does not know of would make an argument
// out of a stale value, so an operand counts unless it is known to be read only.
bool is_argument(Machine machine, Argument argument, unsigned reg) {
  const bool is_arm64 = machine == Machine::arm64;
  switch (argument) {
  case Argument::first:
    return is_arm64 ? reg == ARM64_REG_X0 || reg == ARM64_REG_W0
                    : reg == X86_REG_RAX || reg == X86_REG_EAX || reg == X86_REG_AX ||
                          reg == X86_REG_AL || reg == X86_REG_AH;
  case Argument::second:
    return is_arm64 ? reg == ARM64_REG_X1 || reg == ARM64_REG_W1
                    : reg == X86_REG_RBX || reg == X86_REG_EBX || reg == X86_REG_BX ||
                          reg == X86_REG_BL || reg == X86_REG_BH;
  case Argument::fifth:
    return is_arm64 ? reg == ARM64_REG_X4 || reg == ARM64_REG_W4
                    : reg == X86_REG_RSI || reg == X86_REG_ESI || reg == X86_REG_SI ||
                          reg == X86_REG_SIL;
  }
  return false;
}

// Writes that Capstone does not list: of a call, those of the function, also where its place is not
// fixed.
bool sets_arguments_unsaid(Machine machine, const cs_insn &insn) {
  if (machine == Machine::arm64)
    return insn.id == ARM64_INS_BLR || insn.id == ARM64_INS_BL || insn.id == ARM64_INS_SVC;
  return insn.id == X86_INS_CALL || insn.id == X86_INS_SYSCALL || insn.id == X86_INS_CMPXCHG ||
         insn.id == X86_INS_CMPXCHG8B || insn.id == X86_INS_CMPXCHG16B;
}

bool sets_argument(Machine machine, Argument argument, const cs_insn &insn) {
  const auto may_set = [&](const auto &operand, auto register_type) {
    return operand.type == register_type && is_argument(machine, argument, operand.reg) &&
           operand.access != CS_AC_READ;
  };
  if (sets_arguments_unsaid(machine, insn))
    return true;
  const std::span implicit{insn.detail->regs_write, insn.detail->regs_write_count};
  if (std::ranges::any_of(implicit, [&](auto reg) { return is_argument(machine, argument, reg); }))
    return true;
  if (machine == Machine::amd64) {
    const cs_x86 &x86 = insn.detail->x86;
    return std::ranges::any_of(std::span{x86.operands, x86.op_count},
                               [&](const auto &op) { return may_set(op, X86_OP_REG); });
  }
  const cs_arm64 &arm64 = insn.detail->arm64;
  return std::ranges::any_of(std::span{arm64.operands, arm64.op_count},
                             [&](const auto &op) { return may_set(op, ARM64_OP_REG); });
}

std::optional<ElfAddress> direct_target(const cs_x86 &detail) {
  if (detail.op_count == 0 || detail.operands[0].type != X86_OP_IMM)
    return std::nullopt;
  return ElfAddress{static_cast<std::uint64_t>(detail.operands[0].imm)};
}

std::optional<ElfAddress> variable(const cs_x86 &detail, ElfAddress end) {
  for (const cs_x86_op &operand : std::span{detail.operands, detail.op_count})
    if (operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP &&
        operand.mem.index == X86_REG_INVALID && operand.size == sizeof(std::uint64_t))
      return ElfAddress{end.value + static_cast<std::uint64_t>(operand.mem.disp)};
  return std::nullopt;
}

// What is emulated: arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and
// push_setup_xol_ops(): direct branches without an operand-size prefix, one-byte nop, and
// push of a register with at most the prefix 0x41. Newer kernels know further forms of nop;
// no probe point is one.
void describe_amd64(const Disassembler &disassembler, const cs_insn &insn, Instruction &described) {
  constexpr std::uint8_t kOperandSizePrefix = 0x66;
  const cs_x86 &detail = insn.detail->x86;
  bool plain = detail.prefix[2] != kOperandSizePrefix;
  if (insn.id != X86_INS_LEA) // it only computes an address
    described.variable = variable(detail, described.end());
  auto branch = [&](InstructionKind kind, bool emulated) {
    described.target = direct_target(detail);
    if (described.target) {
      described.kind = kind;
      described.emulated = emulated && plain;
    }
  };
  switch (insn.id) {
  case X86_INS_PUSH:
    if (detail.operands[0].type == X86_OP_REG) {
      described.kind = InstructionKind::push;
      described.emulated = insn.size == 1 || (insn.size == 2 && insn.bytes[0] == 0x41);
    }
    break;
  case X86_INS_JMP:
    described.kind = InstructionKind::indirect_jump;
    branch(InstructionKind::jump, true);
    break;
  case X86_INS_CALL:
    branch(InstructionKind::call, true);
    break;
  case X86_INS_JCXZ:
  case X86_INS_JECXZ:
  case X86_INS_JRCXZ:
    branch(InstructionKind::conditional_jump, false);
    break;
  case X86_INS_RET:
    described.kind = InstructionKind::ret;
    break;
  case X86_INS_NOP:
    described.emulated = insn.size == 1;
    break;
  case X86_INS_LEA:
    if (detail.operands[1].mem.base == X86_REG_RIP && detail.operands[0].size == 8) {
      described.kind = InstructionKind::address;
      described.target = ElfAddress{described.end().value +
                                    static_cast<std::uint64_t>(detail.operands[1].mem.disp)};
    }
    break;
  default:
    if (disassembler.is_jump(insn))
      branch(InstructionKind::conditional_jump, true);
  }
}

// adrp gives the page, the add that follows it the place in it.
struct PageInRegister {
  unsigned reg = ARM64_REG_INVALID;
  std::uint64_t page = 0;
};

// What is emulated: arch/arm64/kernel/probes/decode-insn.c, arm_probe_decode_insn(): branches,
// ret, and what reads the program counter.
void describe_arm64(const cs_insn &insn, PageInRegister &last, Instruction &described) {
  const cs_arm64 &detail = insn.detail->arm64;
  auto immediate = [&](unsigned operand) -> std::optional<ElfAddress> {
    if (operand >= detail.op_count || detail.operands[operand].type != ARM64_OP_IMM)
      return std::nullopt;
    return ElfAddress{static_cast<std::uint64_t>(detail.operands[operand].imm)};
  };
  auto branch = [&](InstructionKind kind, unsigned operand) {
    described.kind = kind;
    described.emulated = true;
    described.target = immediate(operand);
  };
  PageInRegister page = std::exchange(last, {});
  switch (insn.id) {
  case ARM64_INS_B:
    branch(detail.cc == ARM64_CC_INVALID || detail.cc == ARM64_CC_AL
               ? InstructionKind::jump
               : InstructionKind::conditional_jump,
           0);
    break;
  case ARM64_INS_BR:
    described.kind = InstructionKind::indirect_jump;
    break;
  case ARM64_INS_BL:
    branch(InstructionKind::call, 0);
    break;
  case ARM64_INS_CBZ:
  case ARM64_INS_CBNZ:
    branch(InstructionKind::conditional_jump, 1);
    break;
  case ARM64_INS_TBZ:
  case ARM64_INS_TBNZ:
    branch(InstructionKind::conditional_jump, 2);
    break;
  case ARM64_INS_RET:
    branch(InstructionKind::ret, 0);
    break;
  case ARM64_INS_LDR:
  case ARM64_INS_LDRSW:
    if (auto literal = immediate(1)) {
      described.kind = InstructionKind::literal;
      described.emulated = true;
      described.target = literal;
    }
    break;
  case ARM64_INS_ADRP:
    described.emulated = true;
    if (auto target = immediate(1))
      last = {detail.operands[0].reg, target->value};
    break;
  case ARM64_INS_ADD:
    if (auto offset = immediate(2); offset && page.reg != ARM64_REG_INVALID &&
                                    detail.operands[1].reg == page.reg &&
                                    detail.operands[2].shift.value == 0) {
      described.kind = InstructionKind::address;
      described.target = ElfAddress{page.page + offset->value};
    }
    break;
  default:
    break;
  }
}

} // namespace

Result<std::vector<Instruction>> decode(const Code &code, std::size_t count_max) {
  constexpr std::size_t kArm64InstructionBytes = 4;
  auto disassembler = TRY(Disassembler::open(code.machine));
  std::vector<Instruction> instructions;
  PageInRegister page;
  for (std::size_t offset = 0; offset < code.bytes.size() && instructions.size() < count_max;) {
    Instruction described;
    described.address = {code.start.value + offset};
    const cs_insn *insn = disassembler.decode_at(code, offset);
    if (insn != nullptr) {
      described.size_bytes = static_cast<std::uint8_t>(insn->size);
      described.sets_first_argument = sets_argument(code.machine, Argument::first, *insn);
      described.sets_second_argument = sets_argument(code.machine, Argument::second, *insn);
      described.sets_fifth_argument = sets_argument(code.machine, Argument::fifth, *insn);
      if (code.machine == Machine::amd64)
        describe_amd64(disassembler, *insn, described);
      else
        describe_arm64(*insn, page, described);
    } else if (code.machine == Machine::arm64 &&
               code.bytes.size() - offset >= kArm64InstructionBytes) {
      described.size_bytes = kArm64InstructionBytes;
    } else {
      return fail(Errc::malformed, "the bytes at {:#x} are no instruction",
                  described.address.value);
    }
    offset += described.size_bytes;
    instructions.push_back(described);
  }
  return instructions;
}

} // namespace mapscope
