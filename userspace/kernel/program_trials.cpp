// Trials of program kinds: each is loaded, attached to something that this process then
// does itself, and has to have counted it.
#include <array>
#include <cinttypes>
#include <concepts>
#include <cstdio>
#include <fstream>
#include <string>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/handle.h"
#include "kernel/counting_program.h"
#include "kernel/trial.h"
#include "kernel/uprobes.h"

namespace mapscope {
namespace {

// What the uprobes of the trials sit on. Not inlined, and not to be optimised away.
[[gnu::noinline]] void probed_function() { asm volatile("" ::: "memory"); }

void call_probed_function() {
  void (*volatile function)() = probed_function;
  function();
}

// libc may keep the answer of its own getppid; the system call is what is watched.
void make_system_call() { syscall(SYS_getppid); }

// Does `act` and asks whether `program`, attached as `how`, has seen it.
Result<std::string> expect_run(const CountingProgram &program, std::invocable auto act,
                               std::string_view how) {
  act();
  const std::uint64_t count = TRY(program.run_count());
  if (count == 0)
    return fail(Errc::unsupported, "{}, but the program was not called", how);
  return fmt::format("{} and called", how);
}

Result<std::uint32_t> type_id(const TrialContext &context, const char *name, std::uint32_t kind) {
  if (!context.kernel_types)
    return fail(Errc::unsupported, "the kernel has no BTF to find {} in", name);
  const int id = btf__find_by_name_kind(context.kernel_types, name, kind);
  if (id < 0)
    return fail(Errc::unsupported, "the kernel has no {}", name);
  return static_cast<std::uint32_t>(id);
}

// A program on a tracepoint that knows the types of its arguments, and what holds it there.
struct AttachedProgram {
  CountingProgram program;
  Fd link;
};

Result<AttachedProgram> attach_typed_tracepoint(const TrialContext &context, const char *name) {
  const std::uint32_t id =
      TRY(type_id(context, fmt::format("btf_trace_{}", name).c_str(), BTF_KIND_TYPEDEF));
  CountingProgram program =
      TRY(CountingProgram::load({BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id}));
  Fd link{bpf_raw_tracepoint_open(nullptr, program.fd())};
  if (!link)
    return std::unexpected(Error::from_errno(fmt::format("attaching to {}", name)));
  return AttachedProgram{std::move(program), std::move(link)};
}

Result<std::string> try_typed_system_call(const TrialContext &context, const char *name) {
  const AttachedProgram attached = TRY(attach_typed_tracepoint(context, name));
  return expect_run(attached.program, make_system_call, "attached");
}

// Where `function` lies in the executable file of this process.
Result<std::uint64_t> file_offset_of(void (*function)()) {
  const auto address = reinterpret_cast<std::uintptr_t>(function);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t start = 0, end = 0, offset = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) ==
            3 &&
        start <= address && address < end)
      return address - start + offset;
  }
  return fail(Errc::system, "no line of /proc/self/maps has the address {:#x}", address);
}

// Places a probe of the kernel's "uprobe" or "kprobe" unit by perf_event_open(2).
Result<Fd> open_perf_probe(const char *unit, const char *place, std::uint64_t offset,
                           const CountingProgram &program) {
  const std::string path = fmt::format("/sys/bus/event_source/devices/{}/type", unit);
  std::uint32_t type = 0;
  if (!(std::ifstream(path) >> type))
    return fail(Errc::unsupported, "the kernel has no {}", path);

  perf_event_attr attributes{};
  attributes.type = type;
  attributes.size = sizeof(attributes);
  attributes.config1 = reinterpret_cast<std::uintptr_t>(place);
  attributes.config2 = offset;
  const pid_t own_process = 0;
  Fd probe{static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, own_process, -1, -1, PERF_FLAG_FD_CLOEXEC))};
  if (!probe)
    return std::unexpected(Error::from_errno("perf_event_open"));
  if (ioctl(probe.get(), PERF_EVENT_IOC_SET_BPF, program.fd()) < 0 ||
      ioctl(probe.get(), PERF_EVENT_IOC_ENABLE, 0) < 0)
    return std::unexpected(Error::from_errno("attaching to the probe"));
  return probe;
}

// Attaches an iterator and reads it to its end.
Result<std::string> try_iterator(const TrialContext &context, const char *function) {
  const std::uint32_t id = TRY(type_id(context, function, BTF_KIND_FUNC));
  const CountingProgram program =
      TRY(CountingProgram::load({BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, id}));
  const Fd link{bpf_link_create(program.fd(), 0, BPF_TRACE_ITER, nullptr)};
  if (!link)
    return std::unexpected(Error::from_errno("attaching the iterator"));
  const Fd iterator{bpf_iter_create(link.get())};
  if (!iterator)
    return std::unexpected(Error::from_errno("opening the iterator"));
  const auto read_to_end = [&] {
    std::array<char, 64> text{};
    while (read(iterator.get(), text.data(), text.size()) > 0) {
    }
  };
  return expect_run(program, read_to_end, "read to its end");
}

} // namespace

Result<std::string> try_kernel_types(const TrialContext &context) {
  if (!context.kernel_types)
    return fail(Errc::unsupported, "/sys/kernel/btf/vmlinux is absent or cannot be read");
  return fmt::format("{} types", btf__type_cnt(context.kernel_types));
}

Result<std::string> try_uprobe(const TrialContext &) {
  const CountingProgram program = TRY(CountingProgram::load({.type = BPF_PROG_TYPE_KPROBE}));
  const std::uint64_t offset = TRY(file_offset_of(probed_function));
  const Fd probe = TRY(open_perf_probe("uprobe", "/proc/self/exe", offset, program));
  return expect_run(program, call_probed_function, "placed on this process");
}

Result<std::string> try_uprobe_multi(const TrialContext &) {
  // A refusal of the program itself is about privileges, not about links of many sites.
  TRY(CountingProgram::load({.type = BPF_PROG_TYPE_KPROBE}));
  if (!has_uprobe_multi())
    return fail(Errc::unsupported, "the kernel refuses such a link");
  return "the kernel takes such a link";
}

Result<std::string> try_raw_tracepoint(const TrialContext &) {
  const CountingProgram program =
      TRY(CountingProgram::load({.type = BPF_PROG_TYPE_RAW_TRACEPOINT}));
  const Fd link{bpf_raw_tracepoint_open("sys_enter", program.fd())};
  if (!link)
    return std::unexpected(Error::from_errno("attaching to sys_enter"));
  return expect_run(program, make_system_call, "attached to sys_enter");
}

Result<std::string> try_typed_system_call_entry(const TrialContext &context) {
  return try_typed_system_call(context, "sys_enter");
}

Result<std::string> try_typed_system_call_exit(const TrialContext &context) {
  return try_typed_system_call(context, "sys_exit");
}

Result<std::string> try_typed_process_exec(const TrialContext &context) {
  TRY(attach_typed_tracepoint(context, "sched_process_exec"));
  return "attached";
}

Result<std::string> try_typed_io_uring_submit(const TrialContext &context) {
  TRY(attach_typed_tracepoint(context, "io_uring_submit_req"));
  return "attached";
}

Result<std::string> try_fentry(const TrialContext &context) {
  // The kernel's own function for this purpose; a test run of the program calls it.
  const std::uint32_t id = TRY(type_id(context, "bpf_fentry_test1", BTF_KIND_FUNC));
  const CountingProgram program =
      TRY(CountingProgram::load({BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, id}));
  const Fd link{bpf_raw_tracepoint_open(nullptr, program.fd())};
  if (!link)
    return std::unexpected(Error::from_errno("attaching to bpf_fentry_test1"));
  return expect_run(program, [&] { bpf_prog_test_run_opts(program.fd(), nullptr); }, "attached");
}

Result<std::string> try_kprobe(const TrialContext &) {
#ifdef __x86_64__
  const char *function = "__x64_sys_getppid";
#else
  const char *function = "__arm64_sys_getppid";
#endif
  const CountingProgram program = TRY(CountingProgram::load({.type = BPF_PROG_TYPE_KPROBE}));
  const Fd probe = TRY(open_perf_probe("kprobe", function, 0, program));
  return expect_run(program, make_system_call, fmt::format("placed on {}", function));
}

Result<std::string> try_map_iterator(const TrialContext &context) {
  return try_iterator(context, "bpf_iter_bpf_map");
}

Result<std::string> try_task_iterator(const TrialContext &context) {
  return try_iterator(context, "bpf_iter_task");
}

Result<std::string> try_file_iterator(const TrialContext &context) {
  return try_iterator(context, "bpf_iter_task_file");
}

} // namespace mapscope
