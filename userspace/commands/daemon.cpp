// `mapscope daemon`: finds its configuration, and runs, checks or shows it.
#include "commands/daemon.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <linux/capability.h>
#include <unistd.h>

#include "base/printable.h"
#include "commands/exit_status.h"
#include "commands/messages.h"
#include "config/config.h"
#include "kernel/privileges.h"
#include "pipeline/daemon/daemon.h"

namespace mapscope {
namespace {

constexpr std::string_view kUsualPath = "/etc/mapscope/mapscope.yaml";

constexpr auto kFooter =
    R"(Finds every Go program of this host, containers included, looks at its maps from
outside, and judges them by rules; what fires goes to the log and to the sinks that
the configuration names. `mapscope status` asks a running daemon, and so do
127.0.0.1:9435/metrics and its API. SIGHUP reads the configuration again (a wrong one
changes nothing), SIGTERM ends it.

Without --config it reads /etc/mapscope/mapscope.yaml, and where that is not there
the built-in defaults are in force: --print-config shows them.

Needs root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. With
less it does what it can and says what it can't.

Exit status: 0 stopped as told, or --once: no rule fires; 1 --once: a rule fires;
2 wrong usage or a wrong configuration; 3 it could not start, or --once: something
could not be looked at; 4 not permitted.

Examples:
  mapscope daemon --check --config mapscope.yaml
  mapscope daemon
  mapscope daemon --once
  mapscope daemon --print-config > mapscope.yaml)";

struct Options {
  std::string config;
  bool check = false, once = false, print = false;
};

// The configuration in force, and the file that it is of; empty: the built-in defaults.
struct LoadedConfig {
  DaemonConfig config;
  std::string path;
};

Result<LoadedConfig> load(const Options &options) {
  const bool is_usual = options.config.empty();
  const std::string path = is_usual ? std::string{kUsualPath} : options.config;
  auto config = read_config(path);
  if (config)
    return LoadedConfig{std::move(*config), path};
  if (is_usual && config.error().code() == Errc::not_found)
    return LoadedConfig{default_config(), ""};
  if (config.error().code() == Errc::not_found) // a path on the command line that leads nowhere
    return std::unexpected(Error{Errc::usage, config.error().message()});
  return std::unexpected(std::move(config).error());
}

// Problems stand alone on their lines, "FILE:LINE:COLUMN: ...", as editors expect them.
int refuse(const Error &error) {
  if (error.code() != Errc::usage)
    return fail_with(error);
  fmt::print(stderr, "{}\n", error.message());
  return as_int(ExitStatus::usage);
}

int check(const LoadedConfig &loaded) {
  const DaemonConfig &config = loaded.config;
  fmt::print("{} {} fine: {} rule{}, {} sink{}\n",
             loaded.path.empty() ? "the built-in defaults" : loaded.path,
             loaded.path.empty() ? "are" : "is", config.rules.size(),
             config.rules.size() == 1 ? "" : "s", config.alerts.sinks.size(),
             config.alerts.sinks.size() == 1 ? "" : "s");
  return as_int(ExitStatus::done);
}

void say_what_is_missing(const DaemonConfig &config) {
  if (!holds_capability(CAP_BPF) || !holds_capability(CAP_PERFMON))
    say("without CAP_BPF and CAP_PERFMON no probe can be placed: rules of the kinds map-misuse, "
        "map-rehash-storm, map-churn and file-io stay silent, and new processes are found by "
        "looking for them");
  if (!holds_capability(CAP_SYS_PTRACE))
    say("without CAP_SYS_PTRACE only processes of this user are looked at");
  if (config.bpf.enabled && !holds_capability(CAP_SYS_ADMIN))
    say("without CAP_SYS_ADMIN the kernel tells nothing of its own maps: rules of the kinds "
        "bpf-fill, "
        "bpf-lookups, bpf-unbounded and bpf-insert-failures stay silent");
  if (!holds_capability(CAP_DAC_READ_SEARCH))
    say("without CAP_DAC_READ_SEARCH executables that this user may not read are left out");
}

void print_line(std::string_view what, const std::string &text) {
  if (!text.empty())
    fmt::print("    {:<7}{}\n", what, printable(text));
}

void print_finding(const Finding &finding) {
  fmt::print("{:<9}{}: {}\n", kSeverityNames[static_cast<std::size_t>(finding.severity)],
             finding.rule, printable(finding.summary));
  print_line("exe", finding.process.exe);
  print_line("type", finding.type);
  print_line("owner", finding.owner);
  print_line("site", finding.site);
  print_line("cause", finding.cause);
  print_line("fix", finding.fix);
}

int look_once(DaemonConfig config) {
  const auto pass = run_daemon_once(std::move(config));
  if (!pass)
    return fail_with(pass.error());
  for (const Finding &finding : pass->firing)
    print_finding(finding);
  fmt::print("{} process{} looked at, {} finding{}\n", pass->processes,
             pass->processes == 1 ? "" : "es", pass->firing.size(),
             pass->firing.size() == 1 ? "" : "s");
  for (const std::string &sentence : pass->not_looked_at)
    say(fmt::format("not looked at: {}", printable(sentence)));
  return as_int(!pass->firing.empty()          ? ExitStatus::found
                : !pass->not_looked_at.empty() ? ExitStatus::could_not_tell
                                               : ExitStatus::done);
}

int daemon(const Options &options) {
  auto loaded = load(options);
  if (!loaded)
    return refuse(loaded.error());
  if (options.check)
    return check(*loaded);
  if (options.print) {
    std::fputs(config_text(loaded->config).c_str(), stdout);
    return as_int(ExitStatus::done);
  }
  if (loaded->path.empty())
    say(fmt::format("there is no {}: the built-in defaults are in force", kUsualPath));
  say_what_is_missing(loaded->config);
  if (options.once)
    return look_once(std::move(loaded->config));
  const auto end = run_daemon(std::move(loaded->config), loaded->path);
  return end ? as_int(ExitStatus::done)
             : fail_with(end.error(), "root, or a configuration whose database, directories and "
                                      "socket this user may write");
}

} // namespace

void add_daemon(CLI::App &app, std::function<int()> &selected) {
  CLI::App *command =
      app.add_subcommand("daemon", "Watch the maps of every Go program of this host, and alert");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--config", options->config,
                   "The configuration (default: /etc/mapscope/mapscope.yaml, if it is there)")
      ->type_name("FILE");
  auto *check = command->add_flag(
      "--check", options->check, "Only say what is wrong in the configuration, or that it is fine");
  auto *once = command->add_flag("--once", options->once,
                                 "Look at every process once, print what fires, and end");
  command
      ->add_flag("--print-config", options->print,
                 "Print the configuration in force, defaults included")
      ->excludes(check)
      ->excludes(once);
  once->excludes(check);
  command->callback([&selected, options] { selected = [options] { return daemon(*options); }; });
}

} // namespace mapscope
