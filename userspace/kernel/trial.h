// How a feature is tried: one function each, whose value is what the system answered.
#pragma once

#include <string>

#include "base/error.h"

struct btf;

namespace mapscope {

// What the trials share. `kernel_types` is null where the kernel offers no BTF.
struct TrialContext {
  const btf *kernel_types = nullptr;
};

// Fails with Errc::denied where the system refused for lack of privileges, or may have.
using Trial = Result<std::string> (*)(const TrialContext &);

// Of programs: that the kernel loads them, attaches them, and that they run.
Result<std::string> try_kernel_types(const TrialContext &);
Result<std::string> try_uprobe(const TrialContext &);
Result<std::string> try_uprobe_multi(const TrialContext &);
Result<std::string> try_raw_tracepoint(const TrialContext &);
Result<std::string> try_typed_system_call_entry(const TrialContext &);
Result<std::string> try_typed_system_call_exit(const TrialContext &);
Result<std::string> try_typed_process_exec(const TrialContext &);
Result<std::string> try_typed_io_uring_submit(const TrialContext &);
Result<std::string> try_fentry(const TrialContext &);
Result<std::string> try_kprobe(const TrialContext &);
Result<std::string> try_map_iterator(const TrialContext &);
Result<std::string> try_task_iterator(const TrialContext &);
Result<std::string> try_file_iterator(const TrialContext &);

// Of what programs use.
Result<std::string> try_ring_buffer(const TrialContext &);
Result<std::string> try_loop_helper(const TrialContext &);
Result<std::string> try_attach_cookie(const TrialContext &);
Result<std::string> try_rdonly_cast(const TrialContext &);
Result<std::string> try_program_statistics(const TrialContext &);
Result<std::string> try_map_ids(const TrialContext &);
Result<std::string> try_element_count(const TrialContext &);

// Of privileges and of the host: file systems, other processes' memory, limits and settings.
Result<std::string> try_capabilities(const TrialContext &);
Result<std::string> try_tracefs(const TrialContext &);
Result<std::string> try_bpffs(const TrialContext &);
Result<std::string> try_reading_memory(const TrialContext &);
Result<std::string> try_page_map(const TrialContext &);
Result<std::string> try_page_map_scan(const TrialContext &);
Result<std::string> try_lockdown(const TrialContext &);
Result<std::string> try_seccomp(const TrialContext &);
Result<std::string> try_unprivileged_bpf(const TrialContext &);
Result<std::string> try_locked_memory(const TrialContext &);

} // namespace mapscope
