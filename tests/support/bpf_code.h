// BPF instructions by hand: the same for the analysis of call sites as for the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <linux/bpf.h>

namespace mapscope::testing {

class BpfCode {
public:
  BpfCode &raw(unsigned code, unsigned destination, unsigned source, int offset, std::int32_t imm) {
    instructions_.push_back({.code = static_cast<__u8>(code),
                             .dst_reg = static_cast<__u8>(destination & 15U),
                             .src_reg = static_cast<__u8>(source & 15U),
                             .off = static_cast<__s16>(offset),
                             .imm = imm});
    return *this;
  }
  BpfCode &set(unsigned destination, std::int32_t value) {
    return raw(BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value);
  }
  BpfCode &copy(unsigned destination, unsigned source) {
    return raw(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 0, 0);
  }
  BpfCode &add(unsigned destination, std::int32_t value) {
    return raw(BPF_ALU64 | BPF_ADD | BPF_K, destination, 0, 0, value);
  }
  // A descriptor for the kernel, an id for the analysis.
  BpfCode &map(unsigned destination, std::int32_t map) {
    raw(BPF_LD | BPF_DW | BPF_IMM, destination, BPF_PSEUDO_MAP_FD, 0, map);
    return raw(0, 0, 0, 0, 0);
  }
  BpfCode &function(unsigned destination, std::int32_t distance) {
    raw(BPF_LD | BPF_DW | BPF_IMM, destination, BPF_PSEUDO_FUNC, 0, distance);
    return raw(0, 0, 0, 0, 0);
  }
  BpfCode &load(unsigned size, unsigned destination, unsigned base, int offset) {
    return raw(BPF_LDX | BPF_MEM | size, destination, base, offset, 0);
  }
  BpfCode &store(unsigned size, unsigned base, int offset, unsigned source) {
    return raw(BPF_STX | BPF_MEM | size, base, source, offset, 0);
  }
  BpfCode &store_constant(unsigned size, unsigned base, int offset, std::int32_t value) {
    return raw(BPF_ST | BPF_MEM | size, base, 0, offset, value);
  }
  BpfCode &jump(int distance) { return raw(BPF_JMP | BPF_JA, 0, 0, distance, 0); }
  BpfCode &jump_if(unsigned operation, unsigned destination, std::int32_t value, int distance) {
    return raw(BPF_JMP | operation | BPF_K, destination, 0, distance, value);
  }
  BpfCode &call(std::int32_t helper) { return raw(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  BpfCode &call_function(std::int32_t distance, bool for_kernel = false) {
    // The kernel takes the distance as the immediate, and shows it as the offset.
    return raw(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, for_kernel ? 0 : distance,
               for_kernel ? distance : 1);
  }
  BpfCode &exit() { return raw(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

  // r1 = map, r2 = &key on the stack (which has to be written at -4 before), call. 5 instructions.
  BpfCode &call_on(std::int32_t the_map, std::int32_t helper) {
    return map(BPF_REG_1, the_map).copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, -4).call(helper);
  }

  const std::vector<bpf_insn> &instructions() const { return instructions_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span{instructions_}); }

private:
  std::vector<bpf_insn> instructions_;
};

} // namespace mapscope::testing
