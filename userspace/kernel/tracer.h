// The BPF programs of one command: loaded once, with targets and probes that come and go.
// The only door to the kernel side; what crosses it is in bpf/contract/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "bpf/contract/settings.h"
#include "bpf/contract/targets.h"
#include "kernel/uprobes.h"

namespace mapscope {

using CallTable = std::array<std::uint8_t, SYSTEM_CALLS_MAX>;

struct TracerOptions {
  mapscope_settings settings{};
  CallTable call_table{}; // see userspace/attribute/system_calls.h
  std::uint32_t targets_max = 1;
  bool probes_returns = false; // UprobeProgram::map_operation_return will be used
  // Nothing but UprobeProgram::map_misuse will be used, and counts() are not asked for: for who
  // holds it all the time, with many targets. Loads a fifth of the programs, and small tables.
  bool only_misuse = false;
  std::uint32_t ring_bytes = 4U << 20; // a power of two
};

// Which program a uprobe runs.
enum class UprobeProgram {
  map_operation,
  map_operation_return,
  heap_request,
  image_entry,
  map_misuse,
};

class Tracer {
public:
  // Loads. Errors: denied (capabilities), unsupported (a feature is missing; the message
  // names it), system.
  static Result<Tracer> load(const TracerOptions &options);
  Tracer(Tracer &&) noexcept;
  Tracer &operator=(Tracer &&) noexcept;
  ~Tracer();

  // Tells exec, exit and fork of targets.
  Result<> watch_processes();
  // Every system call of the host passes here while this is on: 0.1 microseconds each.
  Result<> watch_system_calls();
  void unwatch_system_calls();
  // False: this kernel has no tracepoint for io_uring submissions, or refused it.
  bool sees_io_uring() const;

  // Copies `settings` into a free place; it counts once the flags have TARGET_WATCHED.
  // `pid` is in this process's namespace. Errors: unsupported when the table is full.
  Result<std::uint32_t> add_target(pid_t pid, const target &settings);
  // Nothing of it counts any more, and its process may be added again. The counters stay
  // readable until remove_target() gives the place to others.
  void unwatch_target(std::uint32_t index);
  void remove_target(std::uint32_t index);
  // The live settings, shared with the kernel: a change counts at once.
  target &target_at(std::uint32_t index);

  Result<UprobeLinks> attach(UprobeProgram program, const std::string &path, pid_t pid,
                             std::vector<UprobeSite> sites);

  // Readable when a record came that can't wait: a misuse, which is told just before a process
  // dies, or the end of a target. All others wait for drain(), which also takes it back.
  int wake_fd() const;
  // Hands every record that is ready to `handle`, in order. Returns how many.
  std::size_t drain(const std::function<void(std::span<const std::byte>)> &handle);

  target_counts counts(std::uint32_t index) const; // summed over CPUs
  // Of probes on the runtime's reports, what was no misuse included; since the target was added.
  std::uint64_t misuse_hits(std::uint32_t index) const;
  std::array<event_stats, EVENT_KIND_COUNT> event_totals() const;

private:
  struct State;
  explicit Tracer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
