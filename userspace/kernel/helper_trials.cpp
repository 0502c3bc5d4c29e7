// Trials of what BPF programs use: maps, helpers, kernel functions, statistics.
#include <string>
#include <string_view>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <unistd.h>

#include "base/handle.h"
#include "kernel/counting_program.h"
#include "kernel/trial.h"

namespace mapscope {
namespace {

// libbpf tells a helper's absence from the verifier's words, so a refusal for another
// reason looks like its presence; a program that calls nothing tells the two apart.
Result<std::string> try_helper(bpf_func_id helper) {
  TRY(CountingProgram::load({.type = BPF_PROG_TYPE_KPROBE}));
  const int answer = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, nullptr);
  if (answer < 0)
    return std::unexpected(Error::from_errno("loading a program that calls it", -answer));
  if (answer == 0)
    return fail(Errc::unsupported, "the verifier does not know it");
  return "the verifier knows it";
}

} // namespace

Result<std::string> try_ring_buffer(const TrialContext &) {
  const auto page_bytes = static_cast<std::uint32_t>(sysconf(_SC_PAGESIZE));
  const Fd ring{bpf_map_create(BPF_MAP_TYPE_RINGBUF, "doctor", 0, 0, page_bytes, nullptr)};
  if (!ring)
    return std::unexpected(Error::from_errno("creating one"));
  return fmt::format("created one of {} bytes", page_bytes);
}

Result<std::string> try_loop_helper(const TrialContext &) { return try_helper(BPF_FUNC_loop); }

Result<std::string> try_attach_cookie(const TrialContext &) {
  return try_helper(BPF_FUNC_get_attach_cookie);
}

Result<std::string> try_rdonly_cast(const TrialContext &context) {
  if (!context.kernel_types)
    return fail(Errc::unsupported, "the kernel has no BTF to find it in");
  const auto id = [&](const char *name, std::uint32_t kind) {
    return btf__find_by_name_kind(context.kernel_types, name, kind);
  };
  const int function = id("bpf_rdonly_cast", BTF_KIND_FUNC);
  const int tracepoint = id("btf_trace_sys_enter", BTF_KIND_TYPEDEF);
  const int task = id("task_struct", BTF_KIND_STRUCT);
  if (function < 0 || tracepoint < 0 || task < 0)
    return fail(Errc::unsupported, "the kernel has no such function");

  // r2 = the type; call it on the context, which is already in r1. The result is unused.
  bpf_insn type{}, call{};
  type.code = BPF_ALU64 | BPF_MOV | BPF_K;
  type.dst_reg = BPF_REG_2;
  type.imm = task;
  call.code = BPF_JMP | BPF_CALL;
  call.src_reg = BPF_PSEUDO_KFUNC_CALL;
  call.imm = function;
  const std::array instructions{type, call};
  TRY(CountingProgram::load(
      {BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, static_cast<std::uint32_t>(tracepoint)},
      instructions));
  return "the verifier takes a call of it";
}

Result<std::string> try_map_ids(const TrialContext &) {
  std::uint32_t id = 0;
  if (bpf_map_get_next_id(0, &id) < 0 && errno != ENOENT) // there is none
    return std::unexpected(Error::from_errno("asking for the first"));
  return "told";
}

Result<std::string> try_element_count(const TrialContext &context) {
  if (!context.kernel_types)
    return fail(Errc::unsupported, "the kernel has no BTF to find it in");
  const auto id = [&](const char *name) {
    return btf__find_by_name_kind(context.kernel_types, name, BTF_KIND_FUNC);
  };
  const int function = id("bpf_map_sum_elem_count");
  const int iterator = id("bpf_iter_bpf_map");
  if (function < 0 || iterator < 0)
    return fail(Errc::unsupported, "the kernel has no such function");

  // r1 = context->map (struct bpf_iter__bpf_map); if (r1) call it. The result is unused.
  bpf_insn map{}, skip{}, call{};
  map.code = BPF_LDX | BPF_MEM | BPF_DW;
  map.dst_reg = BPF_REG_1;
  map.src_reg = BPF_REG_1;
  map.off = 8;
  skip.code = BPF_JMP | BPF_JEQ | BPF_K;
  skip.dst_reg = BPF_REG_1;
  skip.off = 1;
  call.code = BPF_JMP | BPF_CALL;
  call.src_reg = BPF_PSEUDO_KFUNC_CALL;
  call.imm = function;
  const std::array instructions{map, skip, call};
  TRY(CountingProgram::load(
      {BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, static_cast<std::uint32_t>(iterator)}, instructions));
  return "the verifier takes a call of it";
}

Result<std::string> try_program_statistics(const TrialContext &) {
  const Fd statistics{bpf_enable_stats(BPF_STATS_RUN_TIME)};
  if (!statistics)
    return std::unexpected(Error::from_errno("switching them on"));
  return "switched on, and off again";
}

} // namespace mapscope
