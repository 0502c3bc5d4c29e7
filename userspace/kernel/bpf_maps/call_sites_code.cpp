// What the kernel made of maps, lookups and calls in a program; see call_sites_code.h.
#include "kernel/bpf_maps/call_sites_code.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <linux/bpf.h>

namespace mapscope {

namespace {

static_assert(sizeof(bpf_insn) == 8);

constexpr std::uint8_t kLoadConstant = BPF_LD | BPF_IMM | BPF_DW;
constexpr std::uint8_t kAddConstant = BPF_ALU64 | BPF_ADD | BPF_K;
constexpr unsigned kBlindingRegister = 11; // BPF_REG_AX
constexpr std::size_t kInstructionsMax = 4U << 20;

bool is_map_load(const bpf_insn &instruction) {
  return instruction.code == kLoadConstant && instruction.src_reg == BPF_PSEUDO_MAP_FD;
}

} // namespace

Result<TranslatedCode> TranslatedCode::of(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() % sizeof(bpf_insn) != 0)
    return fail(Errc::malformed, "{} bytes are no whole instructions", bytes.size());
  if (bytes.size() / sizeof(bpf_insn) > kInstructionsMax)
    return fail(Errc::unsupported, "more than {} instructions", kInstructionsMax);
  TranslatedCode code;
  code.instructions.resize(bytes.size() / sizeof(bpf_insn)); // aligned, as `bytes` need not be
  std::memcpy(code.instructions.data(), bytes.data(), bytes.size());
  if (code.is_blinded())
    return fail(Errc::unsupported, "its constants are blinded (net.core.bpf_jit_harden)");
  TRY(code.find_names());
  return code;
}

// The kernel hides constants so that nobody can spray them (bpf_jit_blind_rnd): in what it shows
// then, neither maps nor lookups can be recognised.
bool TranslatedCode::is_blinded() const {
  for (std::size_t i = 1; i < instructions.size(); ++i)
    if (instructions[i].code == (BPF_ALU64 | BPF_XOR | BPF_K) &&
        instructions[i].dst_reg == kBlindingRegister &&
        instructions[i - 1].code == (BPF_ALU64 | BPF_MOV | BPF_K) &&
        instructions[i - 1].dst_reg == kBlindingRegister)
      return true;
  return false;
}

Result<void> TranslatedCode::find_names() {
  for (std::uint32_t at = 0; at < instructions.size(); ++at) {
    const bpf_insn &instruction = instructions[at];
    if (instruction.code != kLoadConstant)
      continue;
    if (is_map_load(instruction)) {
      map_ids.push_back(static_cast<std::uint32_t>(instruction.imm));
    } else if (instruction.src_reg == BPF_PSEUDO_FUNC) {
      const auto target = std::int64_t{at} + 1 + instruction.imm;
      if (target < 0 || target >= std::ssize(instructions))
        return fail(Errc::malformed, "instruction {} names a function at {} of {}", at, target,
                    instructions.size());
      callbacks.insert(static_cast<std::uint32_t>(target));
    }
    ++at; // its other half
  }
  std::ranges::sort(map_ids);
  const auto rest = std::ranges::unique(map_ids);
  map_ids.erase(rest.begin(), rest.end());
  return {};
}

std::uint32_t TranslatedCode::slots(std::uint32_t at) const {
  return instructions[at].code == kLoadConstant ? 2 : 1;
}

HeldValue TranslatedCode::constant(std::uint32_t at) const {
  const bpf_insn &load = instructions[at];
  if (is_map_load(load))
    return HeldValue::thing(static_cast<std::uint32_t>(
        std::ranges::lower_bound(map_ids, static_cast<std::uint32_t>(load.imm)) - map_ids.begin()));
  if (load.src_reg == BPF_PSEUDO_FUNC)
    return HeldValue::thing(HeldValue::kFunction |
                            static_cast<std::uint32_t>(std::int64_t{at} + 1 + load.imm));
  return HeldValue::unknown();
}

// The distance stands in 16 bits (jit_subprogs() of kernel/bpf/verifier.c), the function's number
// in the immediate. Where code is longer than that, a function can only start where another ended.
Result<std::uint32_t> TranslatedCode::callee(std::uint32_t at) const {
  std::optional<std::uint32_t> found;
  const auto size = std::ssize(instructions);
  const std::int64_t first = std::int64_t{at} + 1 + instructions[at].off;
  for (std::int64_t target = first % 65536; target < size; target += 65536) {
    if (target < 0 ||
        (size > INT16_MAX && target > 0 && target != first &&
         instructions[static_cast<std::size_t>(target - 1)].code != (BPF_JMP | BPF_EXIT)))
      continue;
    if (size <= INT16_MAX && target != first)
      continue;
    if (found)
      return fail(Errc::unsupported, "the call at {} may lead to {} or {}: the code is too large",
                  at, *found, target);
    found = static_cast<std::uint32_t>(target);
  }
  if (!found)
    return fail(Errc::malformed, "the call at {} leads to {} of {}", at, first, size);
  return *found;
}

bool TranslatedCode::is_at(std::uint32_t at, std::uint8_t code, unsigned destination) const {
  return at < instructions.size() && instructions[at].code == code &&
         instructions[at].dst_reg == destination;
}

// r0 = *(u32 *)r2; if r0 >= entries
bool TranslatedCode::is_index_check(std::uint32_t at) const {
  return is_at(at, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0) && instructions[at].src_reg == BPF_REG_2 &&
         instructions[at].off == 0 && is_at(at + 1, BPF_JMP | BPF_JGE | BPF_K, BPF_REG_0);
}

bool TranslatedCode::is_scaling(std::uint32_t at) const {
  return is_at(at, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_0) ||
         is_at(at, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_0);
}

// r0 += r1
bool TranslatedCode::is_element_address(std::uint32_t at) const {
  return is_at(at, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0) && instructions[at].src_reg == BPF_REG_1;
}

// xsk_map_gen_lookup() checks the index before it calculates with the map.
bool TranslatedCode::is_socket_lookup(std::uint32_t at) const {
  return is_index_check(at) && is_scaling(at + 2) && is_at(at + 3, kAddConstant, BPF_REG_1) &&
         is_element_address(at + 4);
}

// What *_map_gen_lookup() of the kernel puts in the place of a lookup. No other code calculates
// with a map's pointer; where it is not known to be one, all of it must look like that.
bool TranslatedCode::is_inlined_lookup(std::uint32_t at, const HeldValues &values) const {
  if (is_socket_lookup(at))
    return true;
  if (!is_at(at, kAddConstant, BPF_REG_1) || (at >= 3 && is_socket_lookup(at - 3)))
    return false;
  const HeldValue map = values.get(BPF_REG_1);
  if (map.has_map() && !map.other && !map.inner)
    return true;
  const auto masked = at + 3;
  const auto scaled = masked + (is_at(masked, BPF_ALU | BPF_AND | BPF_K, BPF_REG_0) ? 1U : 0U);
  return is_index_check(at + 1) && is_scaling(scaled) && is_element_address(scaled + 1);
}

} // namespace mapscope
