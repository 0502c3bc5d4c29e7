// `mapscope replay FILE`: the same analyses as live, fed by a recording.
#include "commands/replay.h"

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "commands/messages.h"
#include "commands/output.h"
#include "commands/trace_options.h"
#include "commands/trace_report.h"
#include "commands/verify_report.h"
#include "pipeline/trace_analysis.h"
#include "pipeline/verify_analysis.h"
#include "recording/recording_reader.h"

namespace mapscope {
namespace {

struct Options {
  std::string file;
  bool verify = false;
  TraceOptions trace;
};

constexpr auto kFooter =
    R"(Needs neither root nor the recorded program nor the machine of the recording.

Exit status: that of the command that is replayed: `trace`, or `verify` with
--verify; 3 also when the recording is damaged or not one.

Examples:
  mapscope replay run.rec
  mapscope replay run.rec -c
  mapscope replay run.rec --verify --json)";

// Runs the analysis over the recording. False: it is not all there, and that was said.
Result<bool> replay_into(RunObserver &analysis, const Options &options) {
  ByteSource source = TRY(ByteSource::open(TRY(open_input(options.file))));
  ReplayEnd end = TRY(mapscope::replay(std::move(source), options.file, analysis));
  for (const std::string &problem : end.problems)
    say(fmt::format("{}: {}", options.file, problem));
  return end.is_complete;
}

Result<ExitStatus> replay_verify(const Options &options) {
  Fd report = TRY(open_output(options.trace.output, false));
  VerifyAnalysis analysis;
  TRY(replay_into(analysis, options)); // what is missing is a doubt, and the verdict says so
  return report_verdict(TRY(analysis.verdict()), options.trace.json, report);
}

Result<ExitStatus> replay_trace(const Options &options) {
  Fd file = TRY(open_output(options.trace.output, false));
  TraceOutput output{TRY(trace_output_options(options.trace, file)), file};
  TraceAnalysis analysis{output};
  bool is_complete = TRY(replay_into(analysis, options));
  TRY(output.status());
  return is_complete ? status_of(output) : ExitStatus::could_not_tell;
}

Result<ExitStatus> replay(const Options &options) {
  return options.verify ? replay_verify(options) : replay_trace(options);
}

} // namespace

void add_replay(CLI::App &app, std::function<int()> &selected) {
  auto options = std::make_shared<Options>();
  CLI::App *command =
      app.add_subcommand("replay", "Say of a recorded run what `trace` or `verify` says live");
  command->footer(kFooter);
  command->add_option("FILE", options->file, "A recording")->required();
  command->add_flag("--verify", options->verify, "The verdict of `verify` instead of events");
  add_trace_options(*command, options->trace);
  command->callback([options, &selected] {
    selected = [options] {
      auto status = replay(*options);
      return status ? as_int(*status) : fail_with(status.error());
    };
  });
}

} // namespace mapscope
