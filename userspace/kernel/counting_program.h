// A BPF program of a few instructions that counts how often it ran: enough to see whether
// the kernel takes, attaches and calls programs of its kind.
#pragma once

#include <cstdint>
#include <span>

#include <bpf/bpf.h>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

struct ProgramKind {
  bpf_prog_type type = BPF_PROG_TYPE_UNSPEC;
  bpf_attach_type attach_type{}; // where the type alone does not say
  std::uint32_t btf_id = 0;      // of what it attaches to, for BPF_PROG_TYPE_TRACING
};

class CountingProgram {
public:
  // `first` are instructions before those that count; register 1 holds the context there.
  static Result<CountingProgram> load(const ProgramKind &kind,
                                      std::span<const bpf_insn> first = {});

  int fd() const { return program_.get(); }
  Result<std::uint64_t> run_count() const;

private:
  CountingProgram(Fd counter, Fd program)
      : counter_(std::move(counter)), program_(std::move(program)) {}

  Fd counter_; // an array of one
  Fd program_;
};

} // namespace mapscope
