// The parent's watch over a parser; its other end is parser_child.h.
#include "binary/parser_process.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/parser_child.h"
#include "binary/parser_socket.h"
#include "binary/parser_starter.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

Result<std::uint64_t> size_of(const Fd &file, const ParserLimits &limits) {
  struct stat status;
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno("looking at the file"));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::unsupported, "not a regular file");
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (size_bytes == 0)
    return fail(Errc::unsupported, "an empty file");
  if (size_bytes > limits.file_bytes)
    return fail(Errc::unsupported, "{} bytes long, {} are the limit", size_bytes,
                limits.file_bytes);
  return size_bytes;
}

std::string describe_end(int status, const ParserLimits &limits) {
  if (WIFEXITED(status))
    return WEXITSTATUS(status) == EXIT_SUCCESS
               ? std::string{"its parser ended early"}
               : fmt::format("its parser needed more than {} MiB of memory",
                             limits.memory_bytes >> 20);
  switch (WTERMSIG(status)) {
  case SIGBUS:
    return "the file was cut short or could not be read while it was parsed";
  case SIGXCPU:
    return fmt::format("its parser used more than {} s of processor time", limits.cpu_seconds);
  case SIGKILL:
    return "its parser was killed (SIGKILL: out of memory, or out of processor time)";
  case SIGSYS:
    return "its parser made a forbidden system call (SIGSYS); please report this";
  default:
    return fmt::format("its parser crashed (signal {}, {}); please report this", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }
}

// Whether it ends in that time.
bool ends_within(const Fd &process, int milliseconds) {
  pollfd ended{process.get(), POLLIN, 0};
  return !process || ::poll(&ended, 1, milliseconds) > 0;
}

// As a child of this process, which has one thread, or whose other threads share nothing with it.
Result<pid_t> fork_parser(const Fd &file, const Fd &socket, std::uint64_t size_bytes,
                          const std::string &path, const Confinement &confinement) {
  const pid_t pid = ::fork();
  if (pid < 0)
    return std::unexpected(Error::from_errno("starting a parser"));
  if (pid == 0)
    run_parser_child(Fd{file.get()}, Fd{socket.get()}, size_bytes, path, confinement);
  return pid;
}

} // namespace

Result<ParserProcess> ParserProcess::start(const Fd &file, std::string path,
                                           const ParserLimits &limits, ParserStarter *starter) {
  const auto size_bytes = TRY_WHILE(size_of(file, limits), "{}", path);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(Error::from_errno("making a socket pair"));
  Fd ours{ends[0]};
  Fd theirs{ends[1]};
  const Confinement confinement{limits.memory_bytes, limits.cpu_seconds};
  const pid_t pid = starter != nullptr
                        ? TRY(starter->start(file, theirs, size_bytes, path, confinement))
                        : TRY(fork_parser(file, theirs, size_bytes, path, confinement));
  return ParserProcess{pid, std::move(ours), std::move(path), limits};
}

ParserProcess::ParserProcess(pid_t pid, Fd socket, std::string path, const ParserLimits &limits)
    : pid_(pid),
      handle_(std::make_shared<const Fd>(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))),
      socket_(std::move(socket)), path_(std::move(path)), limits_(limits) {}

ParserProcess::ParserProcess(ParserProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, 0)), handle_(std::move(other.handle_)),
      socket_(std::move(other.socket_)), path_(std::move(other.path_)), limits_(other.limits_) {}

ParserProcess::~ParserProcess() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
}

void ParserProcess::kill() const {
  if (pid_ != 0)
    ::kill(pid_, SIGKILL);
}

bool ParserProcess::is_dead() const { return pid_ == 0 || ends_within(*handle_, 0); }

std::string ParserProcess::end() {
  // To be seen dead of its own cause, once it has closed its socket.
  constexpr int kPatienceMs = 1000;
  (void)ends_within(*handle_, kPatienceMs);
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR)
    ;
  pid_ = 0;
  socket_.reset();
  return describe_end(status, limits_);
}

Result<Json> ParserProcess::ask(const Json &question, const WireLimits &limits) {
  if (pid_ == 0)
    return fail(Errc::gone, "{}: its parser has ended", path_);
  const AnswerTime time{limits_.answer_time, pid_};
  auto reply = [&]() -> Result<Json> {
    TRY(send_message(socket_, question, time));
    return receive_message(socket_, time, limits);
  }();
  if (!reply && reply.error().code() == Errc::gone)
    return fail(Errc::malformed, "{}: {}", path_, end());
  if (!reply) {
    ::kill(pid_, SIGKILL);
    end();
    return std::unexpected(
        std::move(reply).error().while_doing(fmt::format("{}: the answer of its parser", path_)));
  }
  if (reply->is_object() && reply->contains("error"))
    return std::unexpected(error_from_json((*reply)["error"]));
  return reply;
}

} // namespace mapscope
