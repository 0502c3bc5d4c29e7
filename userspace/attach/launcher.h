// Starts a command held before its first instruction: fork, wait until the probes are
// placed, then exec. The pid that probes are scoped to exists before the program runs.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// Who the command runs as.
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user; // for its groups and environment
};

// The user who called sudo, if one did: a command should not get root because its observer
// needs it.
std::optional<RunAs> invoking_user();
// By name or number. Errc::usage when there is no such user.
Result<RunAs> user_named(const std::string &name);

class HeldCommand {
public:
  // Forks. `path` is what will be run, `arguments` start with the name it is called by.
  static Result<HeldCommand> start(const std::string &path,
                                   const std::vector<std::string> &arguments,
                                   const std::optional<RunAs> &run_as);
  HeldCommand(HeldCommand &&) noexcept = default;
  HeldCommand &operator=(HeldCommand &&) = delete;
  // A command that was never released is ended and waited for.
  ~HeldCommand();

  pid_t pid() const { return pid_; }
  // Readable when the process has ended.
  const Fd &pid_fd() const { return pid_fd_; }

  // Lets it run. Fails with what exec answered when the command can't be run.
  Result<> release();
  // wait(2) status, when it has ended. Does not block.
  std::optional<int> poll_status();

private:
  HeldCommand(pid_t pid, Fd pid_fd, Fd go, Fd exec_error)
      : pid_(pid), pid_fd_(std::move(pid_fd)), go_(std::move(go)),
        exec_error_(std::move(exec_error)) {}

  pid_t pid_;
  Fd pid_fd_;
  Fd go_;         // a byte written here starts the command
  Fd exec_error_; // errno comes here when exec fails; closed by exec
  bool released_ = false;
  std::optional<int> status_;
};

} // namespace mapscope
