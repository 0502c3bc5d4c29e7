// The daemon's life: signals, the clock, and the end; see daemon.h.
#include "pipeline/daemon/daemon.h"

#include <array>
#include <chrono>
#include <csignal>
#include <memory>

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/log.h"
#include "config/config.h"
#include "pipeline/daemon/daemon_core.h"
#include "pipeline/daemon/own_figures.h"
#include "pipeline/daemon/service_manager.h"
#include "pipeline/privileges.h"
#include "serve/api_server.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLookEveryNs = 1'000'000'000;
// What a receiver of alerts has left once the daemon was told to end; within two seconds in all.
constexpr auto kPatience = 1000ms;
constexpr auto kPassTimeout = 10min;

// Blocked here, so in every thread that starts later: only this descriptor hears them.
Result<Fd> block_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    ::sigaddset(&signals, signal);
  if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0)
    return std::unexpected(Error::from_errno("blocking signals"));
  Fd fd{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd)
    return std::unexpected(Error::from_errno("waiting for signals"));
  return fd;
}

LogTarget log_target_of(const LogConfig &config) {
  return config.target == "journal"   ? LogTarget::journal
         : config.target == "console" ? LogTarget::console
                                      : usual_log_target();
}

class DaemonLife {
public:
  DaemonLife(std::unique_ptr<DaemonCore> core, Fd signals, std::string config_path)
      : core_(std::move(core)), signals_(std::move(signals)), config_path_(std::move(config_path)) {
  }

  Result<> serve();
  void run();

private:
  int wait_ms() const;
  void look_if_due();
  void take_signals();
  void reload();

  std::unique_ptr<DaemonCore> core_;
  std::unique_ptr<ApiServer> server_;
  ServiceManager manager_;
  Fd signals_;
  std::string config_path_;
  std::uint64_t look_at_ns_ = 0; // the next one
  bool said_ready_ = false;
  bool is_stopping_ = false;
};

Result<> DaemonLife::serve() {
  const ServeConfig &config = core_->config().serve;
  server_ = TRY(ApiServer::start(config, *core_));
  spdlog::info("metrics and API: {}{}{}", server_->address(),
               !server_->address().empty() && !config.socket.empty() ? ", " : "", config.socket);
  return {};
}

int DaemonLife::wait_ms() const {
  const std::uint64_t now = now_ns();
  return look_at_ns_ <= now ? 0 : static_cast<int>((look_at_ns_ - now) / 1'000'000 + 1);
}

void DaemonLife::look_if_due() {
  if (now_ns() < look_at_ns_)
    return;
  look_at_ns_ = now_ns() + kLookEveryNs;
  core_->look();
  manager_.alive();
  if (core_->is_ready() && !said_ready_) {
    said_ready_ = true;
    manager_.ready("watching");
  }
}

void DaemonLife::reload() {
  if (config_path_.empty()) {
    spdlog::info("there is no configuration file to read again: the defaults are in force");
    return;
  }
  manager_.reloading();
  auto config = read_config(config_path_);
  if (!config) {
    spdlog::error("the configuration stays as it was, since the file is wrong:\n{}",
                  config.error().message());
    core_->keep(config.error());
  } else {
    const ServeConfig &before = core_->config().serve;
    if (before.address != config->serve.address || before.socket != config->serve.socket)
      spdlog::warn("another address or socket of the API needs a restart");
    set_log_level(config->log.level);
    core_->use(std::move(*config));
    spdlog::info("read {} again: {} rules are in force", config_path_,
                 core_->config().rules.size());
  }
  manager_.ready("watching");
}

void DaemonLife::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP)
      reload();
    else
      is_stopping_ = true;
  }
}

void DaemonLife::run() {
  while (!is_stopping_) {
    look_if_due();
    std::array<pollfd, 2> events = {{{signals_.get(), POLLIN, 0}, {core_->wake_fd(), POLLIN, 0}}};
    if (::poll(events.data(), events.size(), wait_ms()) < 0 && errno != EINTR)
      spdlog::error("{}", Error::from_errno("waiting for events").message());
    core_->hear();
    take_signals();
  }
  spdlog::info("stopping");
  manager_.stopping();
  server_->stop();
  core_->stop(kPatience);
}

// Rates need no more than one look, since that has a window.
void look_at_kernel(const BpfConfig &config, RuleEngine &engine, DaemonPass &pass) {
  const auto take = [&]() -> Result<BpfMapsLook> {
    const auto watch = TRY(BpfMapWatch::start());
    return watch->look(bpf_look_options(config, engine.needs().bpf));
  };
  const auto look = take();
  if (!look) {
    pass.not_looked_at.push_back(fmt::format("the kernel's maps: {}", look.error().message()));
    return;
  }
  engine.take(ProcessAppeared{.time_ns = now_ns(), .process = {.key = kKernel}});
  for (Finding &finding : engine.take(bpf_sample_of(*look)))
    if (finding.is_firing)
      pass.firing.push_back(std::move(finding));
}

} // namespace

Result<> run_daemon(DaemonConfig config, const std::string &config_path) {
  start_log(log_target_of(config.log));
  set_log_level(config.log.level);
  Fd signals = TRY(block_signals());
  // Forks a process that forks again: while there is one thread only, since locks that others hold
  // at that moment would never be free there.
  auto binaries = std::make_unique<BinaryCache>(ParserLimits{}, CacheLimits{});
  // Before other threads start: capabilities are each thread's own, and new ones inherit them.
  // But one thread needs another set, so it is there already.
  auto bpf = BpfWatcher::start(config.bpf);
  TRY(keep_tracing_privileges());
  DaemonLife life{TRY(DaemonCore::start(std::move(config), std::move(binaries), std::move(bpf))),
                  std::move(signals), config_path};
  TRY(life.serve());
  life.run();
  return {};
}

Result<DaemonPass> run_daemon_once(DaemonConfig config) {
  // Holds need more than one look.
  for (Rule &rule : config.rules)
    rule.hold = Seconds{0};
  BinaryCache binaries{ParserLimits{}, CacheLimits{}};
  RuleEngine engine{config.rules, {.boot_id = boot_id()}};
  Inbox inbox{100'000};
  const auto finder = ProcessFinder::start(config.watch, binaries);
  const auto runner =
      CensusRunner::start(config.census, config.limits,
                          [&inbox](CensusSample sample) { inbox.put(std::move(sample)); });
  runner->set_needs(engine.needs().census);

  DaemonPass pass;
  std::vector<FoundProcess> found;
  do {
    ProcessChanges changes = finder->look();
    for (FoundProcess &process : changes.appeared)
      found.push_back(std::move(process));
  } while (!finder->is_complete());
  for (const FoundProcess &process : found) {
    engine.take(ProcessAppeared{.time_ns = now_ns(), .process = process.process});
    if (process.problem.empty())
      runner->add(process);
  }
  const bool was_in_time = runner->look_at_all(kPassTimeout);
  for (const RuleInput &input : inbox.take())
    for (Finding &finding : engine.take(input))
      if (finding.is_firing)
        pass.firing.push_back(std::move(finding));
  for (const FoundProcess &process : found) {
    WatchedProcess watched{.process = process.process, .problem = process.problem};
    runner->describe(watched);
    if (watched.census)
      ++pass.processes;
    else
      pass.not_looked_at.push_back(fmt::format("process {} ({}): {}", process.process.key.pid,
                                               process.process.exe,
                                               !watched.problem.empty() ? watched.problem
                                               : was_in_time            ? "it ended meanwhile"
                                                                        : "time was up"));
  }
  if (config.bpf.enabled && engine.needs().bpf.looks)
    look_at_kernel(config.bpf, engine, pass);
  return pass;
}

} // namespace mapscope
