// The table of features, and what their trials' answers mean for the one who asks.
#include "kernel/features.h"

#include <algorithm>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>

#include "base/handle.h"
#include "kernel/privileges.h"
#include "kernel/trial.h"

namespace mapscope {
namespace {

struct Capability {
  const char *name;
  unsigned number;
};

struct Row {
  const char *name;
  Trial trial;
  const char *used_for;
  const char *without;
  std::vector<Capability> capabilities; // all of them
  std::vector<const char *> needed_by;
};

constexpr Capability kBpf{"CAP_BPF", CAP_BPF};
constexpr Capability kPerfmon{"CAP_PERFMON", CAP_PERFMON};
constexpr Capability kPtrace{"CAP_SYS_PTRACE", CAP_SYS_PTRACE};
constexpr Capability kAdmin{"CAP_SYS_ADMIN", CAP_SYS_ADMIN};

constexpr const char *kUnused = "";

// `replay` needs nothing of the kernel.
const std::vector<const char *> kTracers = {"verify", "trace", "record"};
const std::vector<const char *> kAllThatParse = {"verify", "trace",  "maps",
                                                 "daemon", "record", "inspect"};

// In the order of the report: what everything rests on first.
// clang-format off
const std::vector<Row> &rows() {
  static const std::vector<Row> kRows = {
      {"BTF", try_kernel_types, "programs that fit the running kernel",
       "no program can be loaded", {}, kTracers},
      {"capabilities", try_capabilities, "loading programs and placing them",
       "no program can be loaded", {kBpf, kPerfmon}, kTracers},
      {"uprobe", try_uprobe, "seeing map operations",
       "no map operation is seen", {kBpf, kPerfmon}, kTracers},
      {"uprobe_multi", try_uprobe_multi, "all probes of a binary in one link",
       "one link for each probe, 0.1 s each to close", {kBpf, kPerfmon}, {}},
      {"tp_btf sys_enter", try_typed_system_call_entry, "seeing system calls",
       "no system call is seen", {kBpf, kPerfmon}, kTracers},
      {"tp_btf sys_exit", try_typed_system_call_exit, "results of system calls",
       "no result of a call is known", {kBpf, kPerfmon}, kTracers},
      {"tp_btf sched_process_exec", try_typed_process_exec, "following a process through exec",
       "probes are lost silently", {kBpf, kPerfmon}, kTracers},
      {"tp_btf io_uring_submit_req", try_typed_io_uring_submit, "seeing io_uring requests",
       "only io_uring_enter is seen", {kBpf, kPerfmon}, {}},
      {"ring buffer", try_ring_buffer, "records from the kernel",
       "no record arrives", {kBpf}, kTracers},
      {"bpf_loop", try_loop_helper, "walking stacks and paths in the kernel",
       "the programs are refused", {kBpf, kPerfmon}, kTracers},
      {"bpf_get_attach_cookie", try_attach_cookie, "telling the probes of a link apart",
       "the programs are refused", {kBpf, kPerfmon}, kTracers},
      {"bpf_rdonly_cast", try_rdonly_cast, "cheap looks at open files",
       "each look takes some 300 ns more", {kBpf, kPerfmon}, {}},
      {"raw_tp sys_enter", try_raw_tracepoint, kUnused,
       "tp_btf tells the same for less", {kBpf, kPerfmon}, {}},
      {"fentry", try_fentry, "counting updates of BPF maps by programs",
       "only those through bpf(2) are seen", {kBpf, kPerfmon}, {}},
      {"kprobe", try_kprobe, kUnused,
       "tracepoints tell what is needed", {kBpf, kPerfmon}, {}},
      {"BPF map ids", try_map_ids, "finding the kernel's BPF maps",
       "none of them is seen", {kAdmin}, {"bpf-maps"}},
      {"iter/bpf_map", try_map_iterator, "the kernel's own counts of its BPF maps",
       "their keys are walked, within a budget", {kBpf, kPerfmon}, {}},
      {"bpf_map_sum_elem_count", try_element_count, "entries of hash maps, in one read",
       "their keys are walked, within a budget", {kBpf, kPerfmon}, {}},
      {"iter/task_file", try_file_iterator, "who holds BPF maps",
       "/proc is asked, for ten times the work", {kBpf, kPerfmon}, {}},
      {"iter/task", try_task_iterator, "finding targets from inside a pid namespace",
       "mapscope has to run in the host's pid namespace", {kBpf, kPerfmon}, {}},
      {"BPF statistics", try_program_statistics, "how often BPF programs look into maps",
       "their lookups are not estimated", {kAdmin}, {}},
      {"process_vm_readv", try_reading_memory, "reading another process's memory",
       "`maps` sees processes of the same user only", {kPtrace}, {}},
      {"pagemap", try_page_map, "which pages are resident",
       "residency is not known", {kPtrace}, {}},
      {"PAGEMAP_SCAN", try_page_map_scan, "which pages are resident, in few calls",
       "the page map is read entry by entry", {kPtrace}, {}},
      {"seccomp", try_seccomp, "confining the parser of executables",
       "executables are not parsed", {}, kAllThatParse},
      {"no lockdown", try_lockdown, "reading kernel memory in BPF programs",
       "the programs are refused", {}, kTracers},
      {"locked memory", try_locked_memory, kUnused,
       "kernels from 5.11 on charge BPF maps to the cgroup", {}, {}},
      {"tracefs", try_tracefs, kUnused,
       "probes are placed without it", {kAdmin}, {}},
      {"bpffs", try_bpffs, "naming BPF maps that others pinned",
       "pinned maps are known by their ids only", {}, {}},
      {"unprivileged BPF", try_unprivileged_bpf, kUnused,
       "mapscope asks for capabilities", {}, {}},
  };
  return kRows;
}
// clang-format on

// A refusal says `denied` only if it could have been otherwise with more privileges: some
// kernels answer EPERM for what they were built without.
Availability availability(const Result<std::string> &answer, const Row &row) {
  if (answer)
    return Availability::yes;
  if (answer.error().code() != Errc::denied)
    return Availability::no;
  const bool has_all = std::ranges::all_of(row.capabilities, holds_capability, &Capability::number);
  return has_all ? Availability::no : Availability::denied;
}

Feature try_feature(const Row &row, const TrialContext &context) {
  const Result<std::string> answer = row.trial(context);
  Feature feature{.name = row.name,
                  .availability = availability(answer, row),
                  .answer = answer ? *answer : answer.error().message(),
                  .used_for = row.used_for,
                  .without = row.without,
                  .capabilities = {},
                  .needed_by = {row.needed_by.begin(), row.needed_by.end()}};
  for (const Capability &capability : row.capabilities)
    feature.capabilities.emplace_back(capability.name);
  return feature;
}

} // namespace

std::vector<Feature> find_features() {
  // The table says what libbpf would print.
  const libbpf_print_fn_t print = libbpf_set_print(nullptr);
  const Handle<btf, btf__free> kernel_types{btf__load_vmlinux_btf()};
  const TrialContext context{.kernel_types = kernel_types.get()};

  std::vector<Feature> features;
  for (const Row &row : rows())
    features.push_back(try_feature(row, context));
  libbpf_set_print(print);
  return features;
}

} // namespace mapscope
