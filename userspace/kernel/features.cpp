// The table of features, and what their trials' answers mean for the one who asks.
#include "kernel/features.h"

#include <array>
#include <fstream>

#include <bpf/btf.h>
#include <cap-ng.h>

#include "base/handle.h"
#include "kernel/trial.h"

namespace mapscope {
namespace {

constexpr unsigned kNoCapability = ~0U;

struct Row {
  const char *name;
  Trial trial;
  const char *used_for;
  const char *without;
  std::array<unsigned, 2> capabilities{kNoCapability, kNoCapability};
  std::vector<const char *> needed_by;
};

constexpr std::array kLoad{unsigned{CAP_BPF}, kNoCapability};
constexpr std::array kTrace{unsigned{CAP_BPF}, unsigned{CAP_PERFMON}};
constexpr std::array kAdminister{unsigned{CAP_SYS_ADMIN}, kNoCapability};
constexpr std::array kLookInside{unsigned{CAP_SYS_PTRACE}, kNoCapability};
constexpr std::array kNothing{kNoCapability, kNoCapability};

// In the order of the report: what everything rests on first.
const std::vector<Row> &rows() {
  static const std::vector<Row> kRows = {
      {"BTF", try_kernel_types, "programs that fit the running kernel",
       "no program can be loaded", kNothing, {"verify"}},
      {"uprobe", try_uprobe, "seeing map operations", "no map operation is seen", kTrace,
       {"verify"}},
      {"uprobe_multi", try_uprobe_multi, "all probes of a binary in one link",
       "one link for each probe, 0.1 s each to close", kTrace, {}},
      {"tp_btf sys_enter", try_typed_system_call_entry, "seeing system calls",
       "no system call is seen", kTrace, {"verify"}},
      {"tp_btf sys_exit", try_typed_system_call_exit, "results of system calls",
       "no result and no path of a file call is known", kTrace, {"verify"}},
      {"tp_btf sched_process_exec", try_typed_process_exec,
       "placing probes anew when a process execs", "probes are lost silently", kTrace,
       {"verify"}},
      {"tp_btf io_uring_submit_req", try_typed_io_uring_submit, "seeing io_uring requests",
       "of io_uring, only io_uring_enter is seen", kTrace, {}},
      {"ring buffer", try_ring_buffer, "records from the kernel", "no record arrives", kLoad,
       {"verify"}},
      {"bpf_loop", try_loop_helper, "walking stacks and paths in the kernel",
       "the programs are refused", kTrace, {"verify"}},
      {"bpf_get_attach_cookie", try_attach_cookie, "telling the probes of a link apart",
       "the programs are refused", kTrace, {"verify"}},
      {"bpf_rdonly_cast", try_rdonly_cast, "cheap looks at open files",
       "slower looks: some 300 ns more for each file call that is looked at", kTrace, {}},
      {"raw_tp sys_enter", try_raw_tracepoint, "nothing: tp_btf is used", "nothing is lost",
       kTrace, {}},
      {"fentry", try_fentry, "nothing: tracepoints do", "nothing is lost", kTrace, {}},
      {"kprobe", try_kprobe, "nothing: tracepoints do", "nothing is lost", kTrace, {}},
      {"iter/bpf_map", try_map_iterator, "listing the kernel's BPF maps",
       "BPF maps are listed by their ids", kTrace, {}},
      {"iter/task", try_task_iterator, "listing processes", "/proc is read instead", kTrace, {}},
      {"BPF statistics", try_program_statistics, "run times of BPF programs",
       "run times are not known", kAdminister, {}},
      {"process_vm_readv", try_reading_memory, "reading another process's memory",
       "only one's own children can be looked into", kLookInside, {}},
      {"pagemap", try_page_map, "which pages are resident", "residency is not known", kLookInside,
       {}},
      {"PAGEMAP_SCAN", try_page_map_scan, "which pages are resident, in few calls",
       "the page map is read entry by entry", kLookInside, {}},
      {"seccomp", try_seccomp, "confining the parser of executables",
       "executables are not parsed", kNothing, {"verify", "inspect"}},
      {"no lockdown", try_lockdown, "reading kernel memory in BPF programs",
       "the programs are refused", kNothing, {"verify"}},
      {"locked memory", try_locked_memory, "BPF maps on kernels older than 5.11",
       "nothing is lost on newer ones", kNothing, {}},
      {"tracefs", try_tracefs, "nothing: probes are placed without it", "nothing is lost",
       kAdminister, {}},
      {"bpffs", try_bpffs, "naming BPF maps that others pinned",
       "pinned maps are known by their ids only", kAdminister, {}},
      {"unprivileged BPF", try_unprivileged_bpf, "nothing: capabilities are held",
       "only privileged users load programs, as most systems want it", kNothing, {}},
  };
  return kRows;
}

// Capabilities of a user namespace are held, and count for nothing here.
bool in_initial_user_namespace() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0, outside = 0, count = 0;
  return map >> inside >> outside >> count && inside == 0 && outside == 0 && count == 0xffffffff;
}

bool holds(unsigned capability) {
  return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1 ||
         (capability != CAP_SYS_PTRACE &&
          capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) == 1);
}

// A refusal says `denied` only if it could have been otherwise with more privileges: some
// kernels answer EPERM for what they were built without.
Availability availability(const Result<std::string> &answer, const Row &row, bool initial) {
  if (answer)
    return Availability::yes;
  if (answer.error().code() != Errc::denied)
    return Availability::no;
  bool has_all = initial;
  for (unsigned capability : row.capabilities)
    has_all = has_all && (capability == kNoCapability || holds(capability));
  return has_all ? Availability::no : Availability::denied;
}

Feature try_feature(const Row &row, const TrialContext &context, bool initial) {
  const Result<std::string> answer = row.trial(context);
  Feature feature{.name = row.name,
                  .availability = availability(answer, row, initial),
                  .answer = answer ? *answer : answer.error().message(),
                  .used_for = row.used_for,
                  .without = row.without,
                  .capabilities = {},
                  .needed_by = {row.needed_by.begin(), row.needed_by.end()}};
  for (unsigned capability : row.capabilities)
    if (capability != kNoCapability)
      feature.capabilities.push_back(
          fmt::format("CAP_{}", to_upper(capng_capability_to_name(capability))));
  return feature;
}

} // namespace

std::vector<Feature> find_features() {
  const Handle<btf, btf__free> kernel_types{btf__load_vmlinux_btf()};
  const TrialContext context{.kernel_types = kernel_types.get()};
  const bool initial = in_initial_user_namespace();
  capng_get_caps_process();

  std::vector<Feature> features;
  for (const Row &row : rows())
    features.push_back(try_feature(row, context, initial));
  return features;
}

} // namespace mapscope
