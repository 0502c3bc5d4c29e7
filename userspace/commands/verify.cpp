// `mapscope verify`: its options, and where its report goes.
#include "commands/verify.h"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands/messages.h"
#include "commands/output.h"
#include "commands/target_options.h"
#include "commands/verify_report.h"
#include "pipeline/run_fan_out.h"
#include "pipeline/verify_analysis.h"

namespace mapscope {
namespace {

struct Options {
  TargetOptions target;
  bool light = false, exact = false, json = false;
  std::string output;
  std::string recording;
};

constexpr std::uint8_t kExamplesMax = 8;

constexpr auto kFooter = R"(What to look at: -p PID, or a command behind --.

Exit status: 0 clean, 1 violated, 2 wrong usage, 3 inconclusive or not
supported, 4 not permitted, 5 the target is gone. The command's own exit status
is in the report, and the report goes to standard error with -- CMD, to standard
output with -p.

Examples:
  mapscope verify -- ./server --config server.yaml
  mapscope verify -p 4711 --duration 10
  mapscope verify --json -o report.json -- ./server)";

Result<WatchOptions> verify_options(const Options &options) {
  WatchOptions watch = TRY(watch_options_of(options.target));
  if (options.light && options.exact)
    return fail(Errc::usage, "--light and --exact exclude each other");
  watch.probes.depth = options.light ? Depth::light : options.exact ? Depth::exact : Depth::normal;
  watch.settings.classify_outside = 1;
  watch.settings.emit_call_samples = kExamplesMax;
  watch.settings.emit_memory_calls = 1;
  return watch;
}

Result<ExitStatus> watch_and_judge(const Options &options, const WatchOptions &watch,
                                   RecordingWriter *recording, const Fd &report) {
  VerifyAnalysis analysis;
  RunFanOut observers{{&analysis}, recording};
  TRY(mapscope::watch(watch, observers));
  return report_verdict(TRY(analysis.verdict()), options.json, report);
}

Result<ExitStatus> verify(const Options &options) {
  WatchOptions watch = TRY(verify_options(options));
  // Before anything runs: a report that can't be written should not cost a run.
  Fd report = TRY(open_output(options.output, options.target.shares_output()));
  auto recording = TRY(open_recording(options.recording));
  return close_recording(watch_and_judge(options, watch, recording.get(), report), recording.get());
}

} // namespace

void add_verify(CLI::App &app, std::vector<std::string> command_line,
                std::function<int()> &selected) {
  auto options = std::make_shared<Options>();
  options->target.command = std::move(command_line);
  CLI::App *command = app.add_subcommand(
      "verify", "Prove that map operations do no file I/O; the exit status is the verdict");
  command->footer(kFooter);
  add_target_options(*command, options->target);
  command->add_flag("--light", options->light,
                    "Only the stack as witness, and no probe on creations: costs nearly nothing");
  command->add_flag("--exact", options->exact,
                    "Also probe first groups, bucket moves and every return: costs more");
  command->add_flag("--json", options->json, "Report as JSON (schema mapscope.verify/1)");
  command->add_option("-o,--output", options->output, "Write the report to this file");
  command->add_option("--record", options->recording,
                      "Also keep what the kernel said in this file, for `mapscope replay`");
  command->callback([options, &selected] {
    selected = [options] {
      auto status = verify(*options);
      return status ? as_int(*status) : fail_with(status.error());
    };
  });
}

} // namespace mapscope
