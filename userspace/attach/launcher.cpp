// Held commands; see launcher.h.
#include "attach/launcher.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace mapscope {
namespace {

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return std::unexpected(Error::from_errno("making a pipe"));
  return Pipe{Fd{ends[0]}, Fd{ends[1]}};
}

RunAs from_passwd(const passwd &entry) { return {entry.pw_uid, entry.pw_gid, entry.pw_name}; }

// errno of the step that failed, 0 when all went well.
int become(const RunAs &run_as, const std::string &home) {
  if (::initgroups(run_as.user.c_str(), run_as.gid) != 0 || ::setgid(run_as.gid) != 0 ||
      ::setuid(run_as.uid) != 0)
    return errno;
  ::setenv("USER", run_as.user.c_str(), 1);
  ::setenv("LOGNAME", run_as.user.c_str(), 1);
  if (!home.empty())
    ::setenv("HOME", home.c_str(), 1);
  return 0;
}

// Signals that mapscope blocks or handles for itself must be as usual for the command.
void restore_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGHUP})
    ::signal(number, SIG_DFL);
}

[[noreturn]] void run_child(const std::string &path, std::vector<char *> &arguments,
                            const std::optional<RunAs> &run_as, const std::string &home, int go,
                            int exec_error) {
  char byte = 0;
  ssize_t size = 0;
  do
    size = ::read(go, &byte, 1);
  while (size < 0 && errno == EINTR);
  if (size != 1) // the tracer died or gave up
    ::_exit(127);
  int error = run_as ? become(*run_as, home) : 0;
  if (error == 0) {
    restore_signals();
    ::execv(path.c_str(), arguments.data());
    error = errno;
  }
  [[maybe_unused]] ssize_t written = ::write(exec_error, &error, sizeof(error));
  ::_exit(127);
}

} // namespace

std::optional<RunAs> invoking_user() {
  const char *name = std::getenv("SUDO_USER");
  if (::geteuid() != 0 || name == nullptr || std::string_view{name} == "root")
    return std::nullopt;
  const passwd *entry = ::getpwnam(name);
  if (entry == nullptr)
    return std::nullopt;
  return from_passwd(*entry);
}

Result<RunAs> user_named(const std::string &name) {
  const passwd *entry = ::getpwnam(name.c_str());
  char *end = nullptr;
  unsigned long number = std::strtoul(name.c_str(), &end, 10);
  if (entry == nullptr && !name.empty() && *end == '\0')
    entry = ::getpwuid(static_cast<uid_t>(number));
  if (entry == nullptr)
    return fail(Errc::usage, "there is no user {}", name);
  return from_passwd(*entry);
}

Result<HeldCommand> HeldCommand::start(const std::string &path,
                                       const std::vector<std::string> &arguments,
                                       const std::optional<RunAs> &run_as) {
  Pipe go = TRY(make_pipe());
  Pipe exec_error = TRY(make_pipe());
  // Everything that allocates is done before the fork.
  std::vector<char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(const_cast<char *>(argument.c_str()));
  pointers.push_back(nullptr);
  std::string home;
  if (run_as)
    if (const passwd *entry = ::getpwuid(run_as->uid))
      home = entry->pw_dir;

  pid_t pid = ::fork();
  if (pid < 0)
    return std::unexpected(Error::from_errno("starting a process"));
  if (pid == 0) {
    go.write.reset(); // else the read below never sees its end
    run_child(path, pointers, run_as, home, go.read.get(), exec_error.write.get());
  }
  Fd pid_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pid_fd) {
    auto error = Error::from_errno("opening a descriptor of the process");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(std::move(error));
  }
  return HeldCommand{pid, std::move(pid_fd), std::move(go.write), std::move(exec_error.read)};
}

HeldCommand::~HeldCommand() {
  if (!pid_fd_ || released_) // moved from, or on its own
    return;
  go_.reset();
  ::waitpid(pid_, nullptr, 0);
}

Result<> HeldCommand::release() {
  char byte = 1;
  if (::write(go_.get(), &byte, 1) != 1)
    return std::unexpected(Error::from_errno("starting the command"));
  released_ = true;
  go_.reset();
  int error = 0;
  ssize_t size = 0;
  do
    size = ::read(exec_error_.get(), &error, sizeof(error));
  while (size < 0 && errno == EINTR);
  exec_error_.reset();
  if (size == sizeof(error)) {
    ::waitpid(pid_, nullptr, 0);
    return std::unexpected(Error::from_errno("running the command", error));
  }
  return {};
}

std::optional<int> HeldCommand::poll_status() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    status_ = status;
  return status_;
}

} // namespace mapscope
