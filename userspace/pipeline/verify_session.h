// `verify` from the first look at the target to the verdict: what happens in which order.
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
#include "flow/verdict.h"

namespace mapscope {

struct VerifyOptions {
  std::optional<pid_t> pid;         // a running process, or
  std::vector<std::string> command; // a command to run
  std::optional<RunAs> run_as;      // who runs the command
  std::optional<std::chrono::nanoseconds> duration;
  Depth depth = Depth::normal;
  bool follow = false;                 // children that exec Go programs too
  std::uint32_t ring_bytes = 4U << 20; // a power of two
  // What people should know while it runs: one sentence at a time.
  std::function<void(const std::string &)> say = [](const std::string &) {};
};

// Runs until the target ends, the duration is over, or SIGINT or SIGTERM comes; these two
// are blocked in the calling thread meanwhile. Nothing stays attached afterwards. Errors:
// what prevented any observation.
Result<Verdict> run_verify(const VerifyOptions &options);

} // namespace mapscope
