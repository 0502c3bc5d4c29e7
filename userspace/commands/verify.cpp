// `mapscope verify`: its options, and where its report goes.
#include "commands/verify.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/handle.h"
#include "commands/messages.h"
#include "pipeline/verify_session.h"
#include "report/terminal.h"
#include "report/verify_json.h"
#include "report/verify_text.h"

namespace mapscope {
namespace {

struct Options {
  int pid = 0;
  double duration_seconds = 0;
  std::uint32_t buffer_mib = 4;
  bool light = false, exact = false, follow = false, json = false;
  std::string user;
  std::string output;
  std::vector<std::string> command;
};

constexpr auto kFooter = R"(What to look at: -p PID, or a command behind --.

Exit status: 0 clean, 1 violated, 2 wrong usage, 3 inconclusive or not
supported, 4 not permitted, 5 the target is gone. The command's own exit status
is in the report, and the report goes to standard error with -- CMD, to standard
output with -p.

Examples:
  mapscope verify -- ./server --config server.yaml
  mapscope verify -p 4711 --duration 10
  mapscope verify --json -o report.json -- ./server)";

Result<VerifyOptions> verify_options(const Options &options) {
  VerifyOptions verify;
  if (options.pid > 0 && !options.command.empty())
    return fail(Errc::usage, "-p PID and a command exclude each other");
  if (options.pid <= 0 && options.command.empty())
    return fail(Errc::usage, "nothing to look at: give -p PID, or -- and a command");
  if (options.light && options.exact)
    return fail(Errc::usage, "--light and --exact exclude each other");
  if (options.pid > 0)
    verify.pid = options.pid;
  verify.command = options.command;
  if (options.duration_seconds > 0)
    verify.duration =
        std::chrono::nanoseconds{static_cast<std::int64_t>(options.duration_seconds * 1e9)};
  verify.depth = options.light ? Depth::light : options.exact ? Depth::exact : Depth::normal;
  verify.follow = options.follow;
  if (!std::has_single_bit(options.buffer_mib))
    return fail(Errc::usage, "--buffer {}: the kernel wants a power of two", options.buffer_mib);
  verify.ring_bytes = options.buffer_mib << 20;
  verify.run_as = options.user.empty() ? invoking_user() : TRY(user_named(options.user));
  verify.say = say;
  return verify;
}

Result<Fd> open_report(const Options &options) {
  if (options.output.empty())
    return Fd{::fcntl(options.pid > 0 ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 0)};
  Fd file{::open(options.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", options.output)));
  return file;
}

Result<> write_all(const Fd &file, std::string_view text) {
  while (!text.empty()) {
    ssize_t size = ::write(file.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return std::unexpected(Error::from_errno("writing the report"));
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

ExitStatus status_of(Outcome outcome) {
  switch (outcome) {
  case Outcome::clean:
    return ExitStatus::done;
  case Outcome::violated:
    return ExitStatus::found;
  case Outcome::inconclusive:
    return ExitStatus::could_not_tell;
  }
  return ExitStatus::could_not_tell;
}

Result<ExitStatus> verify(const Options &options) {
  VerifyOptions verify = TRY(verify_options(options));
  // Before anything runs: a report that can't be written should not cost a run.
  Fd report = TRY(open_report(options));
  Verdict verdict = TRY(run_verify(verify));
  bool colour = wants_colour(report.get());
  TRY(write_all(report, options.json ? verify_json(verdict) : verify_text(verdict, colour)));
  return status_of(verdict.outcome);
}

} // namespace

void add_verify(CLI::App &app, std::vector<std::string> command_line,
                std::function<int()> &selected) {
  auto options = std::make_shared<Options>();
  options->command = std::move(command_line);
  CLI::App *command = app.add_subcommand(
      "verify", "Prove that map operations do no file I/O; the exit status is the verdict");
  command->footer(kFooter);
  command->add_option("-p,--pid", options->pid, "Watch this running process")
      ->check(CLI::PositiveNumber);
  command->add_option("--duration", options->duration_seconds, "Stop after so many seconds")
      ->check(CLI::PositiveNumber);
  command->add_flag("--light", options->light,
                    "Only the stack as witness, and no probe on creations: costs nearly nothing");
  command->add_flag("--exact", options->exact,
                    "Also probe first groups, bucket moves and every return: costs more");
  command->add_flag("--follow", options->follow, "Watch Go programs that the target starts, too");
  command
      ->add_option("--buffer", options->buffer_mib,
                   "Room for events on their way, in MiB, a power of two (default: 4)")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--json", options->json, "Report as JSON (schema mapscope.verify/1)");
  command->add_option("-o,--output", options->output, "Write the report to this file");
  command->add_option("--user", options->user,
                      "Run the command as this user (default: who called sudo, else as now)");
  command->callback([options, &selected] {
    selected = [options] {
      auto status = verify(*options);
      return status ? as_int(*status) : fail_with(status.error());
    };
  });
}

} // namespace mapscope
