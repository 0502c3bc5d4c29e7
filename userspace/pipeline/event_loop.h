// Waits for what ends an observation, and wakes on a timer in between to drain.
#pragma once

#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// SIGINT and SIGTERM as a readable descriptor. The signals stay blocked while it lives.
class StopSignals {
public:
  static Result<StopSignals> block();
  StopSignals(StopSignals &&) noexcept = default;
  StopSignals &operator=(StopSignals &&) noexcept = default;
  ~StopSignals();

  const Fd &fd() const { return fd_; }

private:
  explicit StopSignals(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

enum class Wake { timer, stopped, target_ended };

// Sleeps until a stop signal, the end of the process behind `pid_fd` (if it is one), `timeout`, or
// until the kernel side has something that can't wait for that (`wake_fd`): Wake::timer as well.
Wake wait_for(const StopSignals &signals, const Fd &pid_fd, int wake_fd,
              std::chrono::milliseconds timeout);

} // namespace mapscope
