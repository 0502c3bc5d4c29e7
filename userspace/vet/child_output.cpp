// Two pipes, one poll; see child_output.h.
#include "vet/child_output.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/format.h"
#include "base/handle.h"

extern char **environ;

namespace mapscope {
namespace {

using VetClock = std::chrono::steady_clock;

struct OutputPipe {
  Fd ours, its;
};

Result<OutputPipe> make_output_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return std::unexpected(Error::from_errno("pipe2"));
  return OutputPipe{Fd(ends[0]), Fd(ends[1])};
}

// Ends with its process group, unless it was waited for.
class ListenedChild {
public:
  ListenedChild() = default;
  ListenedChild(const ListenedChild &) = delete;
  ListenedChild &operator=(const ListenedChild &) = delete;
  ~ListenedChild() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  Result<> start(std::vector<std::string> &words, const std::string &directory) {
    OutputPipe out = TRY(make_output_pipe());
    OutputPipe error = TRY(make_output_pipe());
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out.its.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, error.its.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE); // which our own command line ignores
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    std::vector<char *> pointers;
    for (std::string &word : words)
      pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const int failure = ::posix_spawnp(&pid_, words.front().c_str(), &actions, &attributes,
                                       pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
      pid_ = -1;
      return std::unexpected(
          Error::from_errno(fmt::format("running {} in {}", words.front(), directory), failure));
    }
    out_ = std::move(out.ours);
    error_ = std::move(error.ours);
    return {};
  }

  Result<ChildOutput> finish(const ChildLimits &limits) {
    const VetClock::time_point deadline = VetClock::now() + limits.time;
    ChildOutput output;
    while (out_ || error_) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - VetClock::now()).count();
      if (left <= 0)
        return fail(Errc::system, "it did not end within {}, and was killed",
                    format_duration(static_cast<std::uint64_t>(limits.time.count()) * 1'000'000));
      std::array<pollfd, 2> waits{{{out_.get(), POLLIN, 0}, {error_.get(), POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), static_cast<int>(left)) < 0 && errno != EINTR)
        return std::unexpected(Error::from_errno("poll"));
      if (waits[0].revents != 0)
        TRY(take(out_, output.out, limits));
      if (waits[1].revents != 0)
        TRY(take(error_, output.error, limits));
    }
    if (::waitpid(pid_, &output.status, 0) < 0)
      return std::unexpected(Error::from_errno("waitpid"));
    pid_ = -1;
    return output;
  }

private:
  static Result<> take(Fd &from, std::string &text, const ChildLimits &limits) {
    std::array<char, 64 << 10> part;
    const ssize_t size = ::read(from.get(), part.data(), part.size());
    if (size == 0 || (size < 0 && errno != EINTR))
      from.reset();
    if (size <= 0)
      return {};
    if (static_cast<std::size_t>(size) > limits.output_bytes - text.size())
      return fail(Errc::system, "it said more than {}, and was killed",
                  format_bytes(limits.output_bytes));
    text.append(part.data(), static_cast<std::size_t>(size));
    return {};
  }

  pid_t pid_ = -1;
  Fd out_, error_;
};

} // namespace

Result<ChildOutput> run_for_output(std::vector<std::string> words, const std::string &directory,
                                   const ChildLimits &limits) {
  ListenedChild child;
  TRY(child.start(words, directory));
  return TRY_WHILE(child.finish(limits), "{} in {}", words.front(), directory);
}

} // namespace mapscope
