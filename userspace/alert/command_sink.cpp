// Runs a command with the alert on standard input: in a session of its own, without our
// descriptors, and killed at its deadline.
#include "alert/command_sink.h"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/handle.h"
#include "base/printable.h"

namespace mapscope {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kOutputBytesKept = 400;
constexpr std::size_t kVariableBytesMax = 4096;

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return std::unexpected(Error::from_errno("pipe2"));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<> set_nonblocking(const Fd &file) {
  if (::fcntl(file.get(), F_SETFL, O_NONBLOCK) != 0)
    return std::unexpected(Error::from_errno("fcntl(O_NONBLOCK)"));
  return {};
}

// What it is about, and of ours only what a script can't do without.
std::vector<std::string> environment_of(const AlertNotice &notice) {
  std::vector<std::string> variables;
  for (const char *name : {"PATH", "HOME", "LANG", "TZ"})
    if (const char *value = ::secure_getenv(name); value != nullptr)
      variables.push_back(fmt::format("{}={}", name, value));
  auto set = [&variables](const char *name, std::string_view value) {
    variables.push_back(
        fmt::format("MAPSCOPE_{}={}", name, printable(value.substr(0, kVariableBytesMax))));
  };
  const Finding &finding = notice.alert.finding;
  const ProcessIdentity &process = finding.process;
  set("STATE", finding.is_firing ? "firing" : "resolved");
  set("IS_UPDATE", notice.is_update ? "true" : "false");
  set("FINGERPRINT", finding.fingerprint);
  set("RULE", finding.rule);
  set("KIND", finding.kind);
  set("SEVERITY", kSeverityNames[static_cast<std::size_t>(finding.severity)]);
  set("HOST", notice.alert.host);
  set("PID", finding.bpf_map ? "" : std::to_string(process.key.pid));
  set("EXE", process.exe);
  set("CONTAINER", process.cgroup.container_id);
  set("POD", process.cgroup.pod_uid);
  set("UNIT", process.cgroup.unit);
  set("TYPE", finding.type);
  set("OWNER", finding.owner);
  set("SITE", finding.site);
  if (finding.bpf_map) {
    set("BPF_MAP", finding.bpf_map->name);
    set("BPF_MAP_ID", std::to_string(finding.bpf_map->id));
    set("KEY_FILE", finding.bpf_map->key_file);
  }
  set("SINCE", rfc3339(notice.alert.since_wall_ns));
  set("SUMMARY", finding.summary);
  set("CAUSE", finding.cause);
  set("FIX", finding.fix);
  set("RESOLUTION", finding.resolution);
  return variables;
}

std::vector<char *> pointers_of(std::vector<std::string> &texts) {
  std::vector<char *> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string &text : texts)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// One run: started, fed, listened to, waited for. What still runs at its end is killed.
class CommandRun {
public:
  ~CommandRun() {
    if (pid_ > 0) { // it was not waited for
      ::kill(-pid_, SIGKILL);
      ::kill(pid_, SIGKILL); // it may not be in a session of its own yet
      ::waitpid(pid_, nullptr, 0);
    }
  }

  Result<> start(std::vector<std::string> words, std::vector<std::string> variables) {
    Pipe in = TRY(make_pipe());
    Pipe out = TRY(make_pipe());
    TRY(set_nonblocking(in.write));
    TRY(set_nonblocking(out.read));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int failure = ::posix_spawnp(&pid_, words.front().c_str(), &actions, &attributes,
                                       pointers_of(words).data(), pointers_of(variables).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
      pid_ = -1;
      return std::unexpected(Error::from_errno(fmt::format("running {}", words.front()), failure));
    }
    in_ = std::move(in.write);
    out_ = std::move(out.read);
    // Not the library's function: its header is not for C++ before glibc 2.37.
    process_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process_)
      return std::unexpected(Error::from_errno("pidfd_open"));
    return {};
  }

  // Its status as waitpid(2) has it. Errors: system: it took too long, or was cut off.
  Result<int> finish(std::string_view input, const Fd &cut, Clock::time_point deadline) {
    for (;;) {
      std::array<pollfd, 4> waits{{{process_.get(), POLLIN, 0},
                                   {cut.get(), POLLIN, 0},
                                   {out_.get(), POLLIN, 0},
                                   {in_.get(), POLLOUT, 0}}}; // negative ones are passed over
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0)
        return fail(Errc::system, "it did not end in time, and was killed");
      if (::poll(waits.data(), waits.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
        return std::unexpected(Error::from_errno("poll"));
      if (waits[1].revents != 0)
        return fail(Errc::system, "stopped");
      if (waits[2].revents != 0)
        listen();
      if (waits[3].revents != 0)
        feed(input);
      if (waits[0].revents != 0)
        return reap();
    }
  }

  const std::string &output() const { return output_; } // its beginning

private:
  void feed(std::string_view &input) {
    // SIGPIPE is blocked in this thread. A command may well not read what it is given.
    const ssize_t written = input.empty() ? 0 : ::write(in_.get(), input.data(), input.size());
    if (written > 0)
      input.remove_prefix(static_cast<std::size_t>(written));
    if (input.empty() || (written < 0 && errno != EAGAIN && errno != EINTR))
      in_.reset();
  }

  bool listen() { // false: nothing more for now
    std::array<char, 4096> part{};
    const ssize_t size = ::read(out_.get(), part.data(), part.size());
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
      out_.reset();
    if (size <= 0)
      return false;
    output_.append(part.data(),
                   std::min(static_cast<std::size_t>(size), kOutputBytesKept - output_.size()));
    return true;
  }

  Result<int> reap() {
    while (out_ && output_.size() < kOutputBytesKept && listen()) // its last words
      continue;
    int status = 0;
    if (::waitpid(pid_, &status, 0) < 0)
      return std::unexpected(Error::from_errno("waitpid"));
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
  Fd process_, in_, out_;
  std::string output_;
};

class CommandReceiver final : public AlertSink {
public:
  CommandReceiver(CommandSink config, std::string host, Fd cut)
      : config_(std::move(config)), host_(std::move(host)), cut_(std::move(cut)) {}

  AlertDelivery deliver(std::span<const AlertNotice> notices) override {
    for (const AlertNotice &notice : notices)
      if (Result<> done = run(notice); !done)
        return {.outcome = DeliveryOutcome::try_later,
                .problem =
                    fmt::format("command {}: {}", config_.command.front(), done.error().message())};
    return {};
  }
  void cut_off() override { ::eventfd_write(cut_.get(), 1); } // stays readable
  std::size_t batch_max() const override { return 1; }

private:
  Result<> run(const AlertNotice &notice) {
    const Clock::time_point deadline = Clock::now() + config_.timeout;
    CommandRun run;
    TRY(run.start(config_.command, environment_of(notice)));
    const std::string document = alerts_document(host_, {&notice, 1});
    const int status = TRY(run.finish(document, cut_, deadline));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return {};
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("was killed by signal {}", WTERMSIG(status))
                                : fmt::format("ended with status {}", WEXITSTATUS(status));
    return fail(Errc::system, "{}{}{}", how,
                run.output().empty() ? "" : ", and said: ", printable(run.output()));
  }

  CommandSink config_;
  std::string host_;
  Fd cut_;
};

} // namespace

Result<std::unique_ptr<AlertSink>> make_command_sink(const CommandSink &config,
                                                     const std::string &host) {
  if (config.command.empty() || config.command.front().empty())
    return fail(Errc::usage, "the command is empty");
  if (config.timeout.count() <= 0)
    return fail(Errc::usage, "the timeout of the command has to be above 0");
  Fd cut(::eventfd(0, EFD_CLOEXEC));
  if (!cut)
    return std::unexpected(Error::from_errno("eventfd"));
  return std::make_unique<CommandReceiver>(config, host, std::move(cut));
}

} // namespace mapscope
