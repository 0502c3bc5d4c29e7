// `mapscope record FILE`: everything that any command could ask of a run.
#include "commands/record.h"

#include <memory>

#include <CLI/CLI.hpp>

#include "commands/messages.h"
#include "commands/target_options.h"
#include "commands/verify_report.h"
#include "pipeline/run_fan_out.h"
#include "pipeline/trace_analysis.h"
#include "pipeline/verify_analysis.h"

namespace mapscope {
namespace {

struct Options {
  TargetOptions target;
  std::string file;
  bool rare = false, exact = false;
};

constexpr auto kFooter = R"(What to look at: -p PID, --all-go, or a command behind --.

Keeps every record, what is needed of the executables to read them, and what was
lost, so that `mapscope replay FILE` can show events, a summary or the verdict of
`verify` on any machine.

Exit status: 0 done, 2 wrong usage, 3 not supported or events were lost, 4 not
permitted, 5 the target is gone.

Examples:
  mapscope record run.rec -- ./server --config server.yaml
  mapscope record run.rec -p 4711 --duration 10)";

// Analyses without an output: they ask for the names that a replay will ask for.
class Nowhere final : public TraceSink {
public:
  void event(const TraceEvent &) override { ++count_; }
  void end(const TraceEnd &end) override {
    for (const event_stats &stats : end.events)
      lost_ += stats.lost_ring_full;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t lost() const { return lost_; }

private:
  std::uint64_t count_ = 0;
  std::uint64_t lost_ = 0;
};

Result<WatchOptions> record_options(const Options &options) {
  constexpr std::uint8_t kExamplesMax = 8;
  if (options.rare && options.exact)
    return fail(Errc::usage, "--rare and --exact exclude each other");
  WatchOptions watch = TRY(watch_options_of(options.target));
  watch.probes.depth = options.rare ? Depth::rare : options.exact ? Depth::exact : Depth::full;
  watch.probes.misuse = true;
  watch.settings.emit_operations = 1;
  watch.settings.classify_outside = 1;
  watch.settings.emit_call_samples = kExamplesMax;
  watch.settings.emit_memory_calls = 1;
  return watch;
}

Result<ExitStatus> watch_and_keep(const Options &options, const WatchOptions &watch,
                                  RecordingWriter &recording) {
  Nowhere nowhere;
  TraceAnalysis trace{nowhere};
  VerifyAnalysis verify;
  RunFanOut observers{{&trace, &verify}, &recording};
  TRY(mapscope::watch(watch, observers));
  say(fmt::format("{}: {} events, {} lost", options.file, nowhere.count(), nowhere.lost()));
  return nowhere.lost() > 0 ? ExitStatus::could_not_tell : ExitStatus::done;
}

Result<ExitStatus> record(const Options &options) {
  WatchOptions watch = TRY(record_options(options));
  auto recording = TRY(open_recording(options.file));
  return close_recording(watch_and_keep(options, watch, *recording), recording.get());
}

} // namespace

void add_record(CLI::App &app, std::vector<std::string> command_line,
                std::function<int()> &selected) {
  auto options = std::make_shared<Options>();
  options->target.command = std::move(command_line);
  CLI::App *command =
      app.add_subcommand("record", "Keep what the kernel said of a run, for `replay`");
  command->footer(kFooter);
  command->add_option("FILE", options->file, "The recording to write")->required();
  add_target_options(*command, options->target);
  command->add_flag("--all-go", options->target.every_go_program,
                    "Watch every Go program of this host, and those that start");
  command->add_flag("--rare", options->rare,
                    "Not the small maps: what `trace` tells by default; costs nearly nothing");
  command->add_flag("--exact", options->exact,
                    "Also the address of each new map, by probes on returns: costs more");
  command->callback([options, &selected] {
    selected = [options] {
      auto status = record(*options);
      return status ? as_int(*status) : fail_with(status.error());
    };
  });
}

} // namespace mapscope
