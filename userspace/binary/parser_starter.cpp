// The helper's loop, and the two messages between it and its parent; see parser_starter.h.
#include "binary/parser_starter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/parser_child.h"

namespace mapscope {
namespace {

constexpr std::size_t kPathBytesMax = 4096; // it is for messages only

struct StartRequest {
  std::uint64_t size_bytes = 0;
  Confinement confinement;
};
using StartAnswer = std::int32_t; // a pid, or an error number below 0

union ControlBuffer {
  cmsghdr alignment;
  std::array<char, CMSG_SPACE(2 * sizeof(int))> bytes;
};

// ---- The helper.

struct Start {
  StartRequest request;
  std::string path;
  Fd file, socket;
};

// False: the parent is gone, or spoke nonsense.
bool receive_start(const Fd &socket, Start &start) {
  start.path.resize(kPathBytesMax);
  std::array<iovec, 2> parts{
      {{&start.request, sizeof(start.request)}, {start.path.data(), start.path.size()}}};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t size = 0;
  do
    size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  const cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (size < static_cast<ssize_t>(sizeof(start.request)) || header == nullptr ||
      header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
    return false;
  std::array<int, 2> descriptors{};
  std::memcpy(descriptors.data(), CMSG_DATA(header), sizeof(descriptors));
  start.file = Fd{descriptors[0]};
  start.socket = Fd{descriptors[1]};
  start.path.resize(static_cast<std::size_t>(size) - sizeof(start.request));
  return true;
}

// Keeps nothing but the socket, and no privilege: what it forks parses hostile bytes.
bool settle(const Fd &socket) {
  sigset_t all;
  ::sigfillset(&all);
  const auto kept = static_cast<unsigned>(socket.get());
  if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      (kept != 0 && ::syscall(SYS_close_range, 0U, kept - 1, 0U) != 0) ||
      ::syscall(SYS_close_range, kept + 1, ~0U, 0U) != 0)
    return false;
  // Without libcap-ng: it would remember this process's number, and fork_sibling() does not tell it
  // that the parser has another one.
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

// CLONE_PARENT: the parser is the child of our parent, which waits for it and with whose thread it
// ends. This process has one thread, so that the bare system call does what fork() would.
StartAnswer fork_sibling() {
  const long pid = ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0L, 0L, 0L, 0L);
  return static_cast<StartAnswer>(pid < 0 ? -errno : pid);
}

[[noreturn]] void run_helper(Fd socket) {
  if (!settle(socket))
    ::_exit(EXIT_FAILURE);
  for (;;) {
    Start start;
    if (!receive_start(socket, start))
      ::_exit(EXIT_SUCCESS);
    const StartAnswer answer = fork_sibling();
    if (answer == 0)
      run_parser_child(std::move(start.file), std::move(start.socket), start.request.size_bytes,
                       std::move(start.path), start.request.confinement);
    // Before the answer: from then on only the parser has its end of the socket, and ends it.
    start.socket.reset();
    start.file.reset();
    if (::send(socket.get(), &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
      ::_exit(EXIT_SUCCESS);
  }
}

// ---- The parent.

// Sends, and waits for the answer. Errors: gone, the helper has ended.
Result<StartAnswer> ask_helper(const Fd &helper, StartRequest request, const std::string &path,
                               std::array<int, 2> descriptors) {
  std::string text = path.substr(0, kPathBytesMax);
  std::array<iovec, 2> parts{{{&request, sizeof(request)}, {text.data(), text.size()}}};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(descriptors));
  std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(descriptors));
  if (::sendmsg(helper.get(), &message, MSG_NOSIGNAL) < 0)
    return fail(Errc::gone, "the process that starts parsers has ended: {}", std::strerror(errno));
  StartAnswer answer = 0;
  ssize_t size = 0;
  do
    size = ::recv(helper.get(), &answer, sizeof(answer), 0);
  while (size < 0 && errno == EINTR);
  if (size != sizeof(answer))
    return fail(Errc::gone, "the process that starts parsers has ended");
  return answer;
}

} // namespace

ParserStarter::ParserStarter() { (void)fork_helper(); }

ParserStarter::~ParserStarter() { end_helper(); }

Result<> ParserStarter::fork_helper() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(Error::from_errno("making a socket pair"));
  Fd ours{ends[0]};
  Fd theirs{ends[1]};
  const pid_t pid = ::fork();
  if (pid < 0)
    return std::unexpected(Error::from_errno("starting the process that starts parsers"));
  if (pid == 0)
    run_helper(std::move(theirs));
  pid_ = pid;
  socket_ = std::move(ours);
  return {};
}

void ParserStarter::end_helper() {
  if (pid_ == 0)
    return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
    ;
  pid_ = 0;
  socket_.reset();
}

Result<pid_t> ParserStarter::start(const Fd &file, const Fd &socket, std::uint64_t size_bytes,
                                   const std::string &path, const Confinement &confinement) {
  const std::lock_guard lock{mutex_};
  const StartRequest request{.size_bytes = size_bytes, .confinement = confinement};
  for (int turn = 0;; ++turn) {
    if (pid_ == 0)
      TRY(fork_helper());
    auto answer = ask_helper(socket_, request, path, {file.get(), socket.get()});
    if (answer && *answer > 0)
      return *answer;
    if (answer)
      return std::unexpected(Error::from_errno("starting a parser", -*answer));
    end_helper(); // somebody killed it: the next one may live
    if (turn > 0)
      return fail(Errc::system, "starting a parser: {}", answer.error().message());
  }
}

} // namespace mapscope
