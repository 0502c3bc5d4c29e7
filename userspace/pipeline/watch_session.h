// Watching on a live kernel, from the first look at the targets to the last record: what happens in
// which order. What it means is the observer's business.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "attach/launcher.h"
#include "attach/plan.h"
#include "base/error.h"
#include "bpf/contract/settings.h"
#include "flow/run_observer.h"

namespace mapscope {

struct WatchOptions {
  // Whom: one of a running process, a command to run, or every Go program of the host.
  std::optional<pid_t> pid;
  std::vector<std::string> command;
  bool every_go_program = false;

  std::optional<RunAs> run_as; // who runs the command
  std::optional<std::chrono::nanoseconds> duration;
  bool follow = false; // children that exec Go programs too
  ProbeChoice probes;
  bool system_calls = true;
  mapscope_settings settings{};        // what the kernel side tells; windows follow `probes`
  std::uint32_t ring_bytes = 4U << 20; // a power of two
  // What people should know while it runs: one sentence at a time.
  std::function<void(const std::string &)> say = [](const std::string &) {};
};

// Runs until the target ends, the duration is over, SIGINT or SIGTERM comes (these two are blocked
// in the calling thread meanwhile), or `wants_end` says so, which is asked some hundred times a
// second. Nothing stays attached afterwards. Errors: what prevented any observation; the observer
// has then heard no end.
Result<> watch(
    const WatchOptions &options, RunObserver &observer,
    const std::function<bool()> &wants_end = [] { return false; });

} // namespace mapscope
