// Both ends of the parser: the child's loop, and the parent's watch over it.
#include "binary/parser_process.h"

#include <csignal>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/confinement.h"
#include "binary/go_binary.h"
#include "binary/map_calls.h"
#include "binary/map_types.h"
#include "binary/parser_socket.h"
#include "binary/program_roots.h"
#include "binary/read_facts.h"
#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/roots_archive.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

// ---- The child.

Result<std::span<const std::byte>> map_file(const Fd &file, std::uint64_t size_bytes) {
  void *bytes = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED)
    return std::unexpected(Error::from_errno("mapping the file"));
  return std::span{static_cast<const std::byte *>(bytes), size_bytes};
}

// Of the instruction in front of each return address; see BinaryNames.
std::vector<std::optional<MapType>> map_types_at_calls(const GoBinary &binary,
                                                       std::span<const ElfAddress> addresses) {
  const MapTypeReader reader{binary};
  std::vector<std::optional<MapType>> types;
  for (ElfAddress address : addresses)
    types.push_back(map_type_at_call(binary, reader, address));
  return types;
}

std::vector<std::optional<MapType>> map_types(const GoBinary &binary,
                                              std::span<const ElfAddress> addresses) {
  const MapTypeReader reader{binary};
  std::vector<std::optional<MapType>> types;
  for (ElfAddress address : addresses)
    types.push_back(reader.read(address));
  return types;
}

Result<Json> answer_roots(const GoBinary &binary) {
  const Bytes bytes = roots_to_bytes(TRY(read_roots(binary)));
  const auto *first = reinterpret_cast<const std::uint8_t *>(bytes.data());
  return Json{{"roots", Json::binary({first, first + bytes.size()})}};
}

Result<Json> answer(const GoBinary &binary, const Json &question) {
  const Json &what = question.at("ask");
  if (what == "facts")
    return Json{{"facts", facts_to_json(TRY(read_facts(binary)))}};
  if (what == "roots")
    return answer_roots(binary);
  std::vector<ElfAddress> addresses;
  for (const Json &address : question.at("addresses"))
    addresses.push_back({address.get<std::uint64_t>()});
  if (what == "map_types")
    return Json{{"map_types", map_types_to_json(map_types(binary, addresses))}};
  if (what == "map_types_at_calls")
    return Json{{"map_types_at_calls", map_types_to_json(map_types_at_calls(binary, addresses))}};
  return Json{{"frames", frames_to_json(binary.symbolize(addresses))}};
}

// Answers questions until the parent closes its end.
Result<> serve(const Fd &socket, const Result<GoBinary> &binary) {
  while (true) {
    const Json question = TRY(receive_message(socket, Deadline::max()));
    const auto reply = binary ? answer(*binary, question) : std::unexpected(binary.error());
    TRY(send_message(socket, reply ? *reply : Json{{"error", error_to_json(reply.error())}},
                     Deadline::max()));
  }
}

Result<GoBinary> confine_and_open(Fd file, const Fd &socket, std::uint64_t size_bytes,
                                  std::string path, const ParserLimits &limits) {
  auto bytes = TRY(map_file(file, size_bytes));
  file.reset(); // closing is among the calls that will be forbidden
  TRY_WHILE(confine_this_process(socket, {limits.memory_bytes, limits.cpu_seconds}),
            "confining the parser");
  return GoBinary::open(bytes, std::move(path));
}

[[noreturn]] void run_child(Fd file, Fd socket, std::uint64_t size_bytes, std::string path,
                            const ParserLimits &limits) {
  try {
    (void)serve(socket,
                confine_and_open(std::move(file), socket, size_bytes, std::move(path), limits));
  } catch (const std::bad_alloc &) {
    ::_exit(EXIT_FAILURE); // describe_end() knows
  }
  ::_exit(EXIT_SUCCESS);
}

// ---- The parent.

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

// Gives a child that has closed its socket a moment to be seen dead of its own cause.
void await_end(pid_t pid) {
  constexpr int kPatienceMs = 1000;
  const Fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  pollfd ended{process.get(), POLLIN, 0};
  if (process)
    (void)::poll(&ended, 1, kPatienceMs);
}

} // namespace

Result<ParserProcess> ParserProcess::start(Fd file, std::string path, const ParserLimits &limits) {
  const auto size_bytes = TRY_WHILE(size_of(file, limits), "{}", path);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(Error::from_errno("making a socket pair"));
  Fd ours{ends[0]};
  Fd theirs{ends[1]};
  const pid_t pid = ::fork();
  if (pid < 0)
    return std::unexpected(Error::from_errno("starting a parser"));
  if (pid == 0)
    run_child(std::move(file), std::move(theirs), size_bytes, std::move(path), limits);
  return ParserProcess{pid, std::move(ours), std::move(path), limits};
}

ParserProcess::ParserProcess(pid_t pid, Fd socket, std::string path, const ParserLimits &limits)
    : pid_(pid), socket_(std::move(socket)), path_(std::move(path)), limits_(limits) {}

ParserProcess::ParserProcess(ParserProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, 0)), socket_(std::move(other.socket_)),
      path_(std::move(other.path_)), limits_(other.limits_) {}

ParserProcess::~ParserProcess() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
}

std::string ParserProcess::end() {
  await_end(pid_);
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
  const Deadline deadline = std::chrono::steady_clock::now() + limits_.answer_time;
  auto reply = [&]() -> Result<Json> {
    TRY(send_message(socket_, question, deadline));
    return receive_message(socket_, deadline, limits);
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
