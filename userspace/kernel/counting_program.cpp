// The instructions of the counting program, and its load.
#include "kernel/counting_program.h"

#include <string_view>
#include <vector>

#include <linux/bpf.h>

namespace mapscope {
namespace {

bpf_insn instruction(int code, std::uint8_t destination, std::uint8_t source,
                     std::int32_t immediate) {
  bpf_insn insn{};
  insn.code = static_cast<std::uint8_t>(code);
  insn.dst_reg = destination & 0xf;
  insn.src_reg = source & 0xf;
  insn.imm = immediate;
  return insn;
}

// r1 = &counter[0]; r2 = 1; lock *(u64 *)r1 += r2; return 0
std::vector<bpf_insn> counting_instructions(int counter_fd) {
  return {
      // NOLINTNEXTLINE(misc-redundant-expression): two of the three are zero, and are the format
      instruction(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, counter_fd),
      instruction(0, 0, 0, 0), // upper half of the 64-bit immediate: the offset in the value
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 1),
      instruction(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_2, BPF_ADD),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
      instruction(BPF_JMP | BPF_EXIT, 0, 0, 0),
  };
}

// What the verifier objected to: the last line of its log that is not its statistics.
std::string_view objection(std::string_view log) {
  std::string_view last;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    if (!line.empty() && !line.starts_with("processed "))
      last = line;
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return last;
}

} // namespace

Result<CountingProgram> CountingProgram::load(const ProgramKind &kind,
                                              std::span<const bpf_insn> first) {
  Fd counter{bpf_map_create(BPF_MAP_TYPE_ARRAY, "doctor", sizeof(std::uint32_t),
                            sizeof(std::uint64_t), 1, nullptr)};
  if (!counter)
    return std::unexpected(Error::from_errno("creating a map"));

  std::vector<bpf_insn> instructions{first.begin(), first.end()};
  for (const bpf_insn &insn : counting_instructions(counter.get()))
    instructions.push_back(insn);

  std::array<char, 4096> log{};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kind.attach_type,
              .attach_btf_id = kind.btf_id, .log_size = log.size(), .log_buf = log.data());
  Fd program{bpf_prog_load(kind.type, "doctor", "Dual BSD/GPL", instructions.data(),
                           instructions.size(), &options)};
  if (!program) {
    const int error_number = errno;
    const std::string_view reason = objection(log.data());
    return std::unexpected(Error::from_errno(
        reason.empty() ? "loading the program"
                       : fmt::format("loading the program, the verifier says \"{}\"", reason),
        error_number));
  }
  return CountingProgram{std::move(counter), std::move(program)};
}

Result<std::uint64_t> CountingProgram::run_count() const {
  const std::uint32_t slot = 0;
  std::uint64_t count = 0;
  if (bpf_map_lookup_elem(counter_.get(), &slot, &count) < 0)
    return std::unexpected(Error::from_errno("reading the program's counter"));
  return count;
}

} // namespace mapscope
