// Waiting; see event_loop.h.
#include "pipeline/event_loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <array>

namespace mapscope {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

} // namespace

Result<StopSignals> StopSignals::block() {
  sigset_t set = stop_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  Fd fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd)
    return std::unexpected(Error::from_errno("watching for signals"));
  return StopSignals{std::move(fd)};
}

StopSignals::~StopSignals() {
  if (!fd_) // moved from
    return;
  // The one that stopped us has done its work: it must not strike when it is unblocked.
  signalfd_siginfo taken{};
  while (::read(fd_.get(), &taken, sizeof(taken)) == sizeof(taken)) {
  }
  sigset_t set = stop_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

Wake wait_for(const StopSignals &signals, const Fd &pid_fd, int wake_fd,
              std::chrono::milliseconds timeout) {
  std::array<pollfd, 3> descriptors{{{.fd = signals.fd().get(), .events = POLLIN, .revents = 0},
                                     {.fd = pid_fd.get(), .events = POLLIN, .revents = 0},
                                     {.fd = wake_fd, .events = POLLIN, .revents = 0}}};
  int ready = ::poll(descriptors.data(), descriptors.size(), static_cast<int>(timeout.count()));
  if (ready <= 0)
    return Wake::timer;
  if (descriptors[0].revents != 0)
    return Wake::stopped;
  return descriptors[1].revents != 0 ? Wake::target_ended : Wake::timer;
}

} // namespace mapscope
