// `mapscope maps -p PID`: look, judge, print; once, again and again, or from a file.
#include "commands/maps.h"

#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>

#include "base/write_all.h"
#include "commands/maps_options.h"
#include "commands/messages.h"
#include "commands/output.h"
#include "commands/progress.h"
#include "memory/snapshot.h"
#include "pipeline/event_loop.h"
#include "pipeline/map_learner.h"
#include "report/maps_diff.h"
#include "report/maps_json.h"
#include "report/maps_pprof.h"
#include "report/maps_text.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

constexpr auto kFooter =
    R"(The process is neither paused nor changed: its memory is read while it runs. That
needs CAP_SYS_PTRACE, or the same user; no root and no BPF. What changes faster
than it can be read is counted as unsettled, and never shown with wrong numbers.

A snapshot holds what was read of the process's memory: keys and elements of maps
are in it. Keep it as you keep a core file.

Owners are found by following pointers from variables and stacks, as the collector
does; what nothing leads to is garbage. Sites come from the program's own memory
profile, which samples an allocation every 512 KiB by default. --learn places probes
(root, or CAP_BPF and CAP_PERFMON) for moments only, and takes them off by itself.

Exit status: 0 done; 1 the condition of --fail-on holds; 2 wrong usage;
3 could not tell (no Go program, a version or file that mapscope can't read);
4 not permitted; 5 the process is gone.

Examples:
  mapscope maps -p 4711
  mapscope maps -p 4711 --sort bytes --top 5 --type 'map[string]*'
  mapscope maps -p 4711 --explain 0xc000012340 --payload
  mapscope maps -p 4711 --json --fail-on 'reclaimable>64MiB'
  mapscope maps -p 4711 --owners --group-by owner --sort bytes
  mapscope maps -p 4711 --pprof maps.pb.gz && go tool pprof -top maps.pb.gz
  mapscope maps -p 4711 --save before.snap
  mapscope maps --diff before.snap after.snap
  mapscope maps --core core.4711 --exe ./server)";

Result<MapSource> open_source(const MapsOptions &options) {
  return options.pid > 0         ? open_process(options.pid)
         : !options.core.empty() ? open_core_file(options.core, options.exe)
                                 : open_snapshot(options.snapshot);
}

// Says which conditions of --fail-on hold, and which can't be answered.
ExitStatus check(const FailOn &fail_on, const MapSurvey &survey) {
  if (fail_on.empty())
    return ExitStatus::done;
  const MapFigures figures = survey.figures();
  const auto hits = fail_on.hits(figures), unanswered = fail_on.unanswered(figures);
  for (const std::string &sentence : hits)
    say(fmt::format("--fail-on: {}", sentence));
  for (const std::string &sentence : unanswered)
    say(fmt::format("--fail-on: {}", sentence));
  return !hits.empty()         ? ExitStatus::found
         : !unanswered.empty() ? ExitStatus::could_not_tell
                               : ExitStatus::done;
}

// What one look at the source says.
Result<std::string> look(MapSurvey &survey, const MapsOptions &options, const MapsRequest &request,
                         bool colour) {
  TRY(survey.look());
  const MapsReport report = survey.report(request.selection);
  if (!request.explain)
    return options.json ? maps_json(report) : maps_text(report, colour);
  const MapExplanation map = TRY(survey.explain(*request.explain, options.payload));
  return options.json ? map_explanation_json(report, map)
                      : map_explanation_text(report, map, colour);
}

// Looks at the source once and keeps what that read. What is reported comes from the file, so
// that the file is known to say it again.
Result<MapSource> save(MapSource &source, const MapsOptions &options, const MapsRequest &request) {
  Progress progress{fmt::format("reading {} into {}", source.description, options.save)};
  Fd file{::open(options.save.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", options.save)));
  auto writer = TRY(SnapshotWriter::create(std::move(file), *source.memory, source.process));
  SnapshotWriter &snapshot = *writer;
  const auto questions =
      std::make_shared<SnapshotQuestions>(snapshot, source.symbolizer, source.roots);
  MapSource through{.memory = std::move(writer),
                    .process = source.process,
                    .symbolizer = questions,
                    .roots = questions,
                    .description = source.description};
  MapSurvey survey{through, {.owners = request.owners}};
  TRY(survey.look());
  if (request.explain)
    TRY(survey.explain(*request.explain, options.payload));
  TRY(snapshot.finish());
  return open_snapshot(options.save);
}

Result<> print(const Fd &output, const std::string &text) {
  return write_all(output, std::as_bytes(std::span{text}));
}

Result<ExitStatus> watch(MapSurvey &survey, const MapsOptions &options, const MapsRequest &request,
                         const Fd &output) {
  constexpr std::string_view kHomeAndClear = "\x1b[H\x1b[2J\x1b[3J";
  StopSignals signals = TRY(StopSignals::block());
  const bool colour = wants_colour(output.get());
  const auto pause =
      std::chrono::milliseconds{static_cast<std::int64_t>(options.watch_seconds * 1000)};
  ExitStatus status = ExitStatus::done;
  do {
    std::string text = TRY(look(survey, options, request, colour));
    if (check(request.fail_on, survey) == ExitStatus::found)
      status = ExitStatus::found;
    if (colour && !options.json)
      text.insert(0, kHomeAndClear);
    TRY(print(output, text));
  } while (wait_for(signals, Fd{}, -1, pause) == Wake::timer);
  return status;
}

Result<MapsLook> look_at_snapshot(const std::string &path) {
  MapSource source = TRY(open_snapshot(path));
  MapSurvey survey{source, {.owners = OwnersWanted::no}};
  TRY(survey.look());
  return survey.all();
}

Result<ExitStatus> diff(const MapsOptions &options, const MapsRequest &request, const Fd &output) {
  Progress progress{"comparing two snapshots"};
  MapsLook before = TRY(look_at_snapshot(options.diff[0]));
  MapsLook after = TRY(look_at_snapshot(options.diff[1]));
  const MapsDiff changes = compare_maps(before, after, request.selection.top);
  TRY(print(output, options.json
                        ? maps_diff_json(before, after, changes)
                        : maps_diff_text(before, after, changes, wants_colour(output.get()))));
  return ExitStatus::done;
}

// Probes on writes first, so that the look is no older than what they tell of it.
Result<std::optional<LearnedWrites>> learn(const MapsOptions &options, const MapsRequest &request) {
  if (request.learn.count() == 0)
    return std::nullopt;
  Progress progress{
      fmt::format("learning from the writes of process {} for {}", options.pid, options.learn)};
  return TRY(learn_writes(options.pid, request.learn));
}

Result<> write_profile(const MapSurvey &survey, const MapsOptions &options) {
  if (options.pprof.empty())
    return {};
  const std::string profile = TRY(maps_pprof(survey.profile()));
  return print(TRY(open_output(options.pprof, false)), profile);
}

Result<ExitStatus> maps(const MapsOptions &options) {
  const MapsRequest request = TRY(maps_request_of(options));
  const Fd output = TRY(open_output(options.output, false));
  if (!options.diff.empty())
    return diff(options, request, output);
  // Before anything else is looked up: the process may execute another program meanwhile.
  std::optional<LearnedWrites> learned = TRY(learn(options, request));
  MapSource source = TRY(open_source(options));
  if (!options.save.empty())
    source = TRY(save(source, options, request));
  MapSurvey survey{source, {.remembers = options.watch_seconds > 0, .owners = request.owners}};
  if (learned)
    TRY(survey.learn(std::move(*learned)));
  if (options.watch_seconds > 0)
    return watch(survey, options, request, output);
  std::string text;
  {
    Progress progress{fmt::format("reading {}", source.description)};
    text = TRY(look(survey, options, request, wants_colour(output.get())));
  }
  TRY(print(output, text));
  TRY(write_profile(survey, options));
  return check(request.fail_on, survey);
}

} // namespace

void add_maps(CLI::App &app, std::function<int()> &selected) {
  auto options = std::make_shared<MapsOptions>();
  CLI::App *command = app.add_subcommand(
      "maps", "Every map of a process: length, slots, bytes by cause, what a rebuild would free");
  command->footer(kFooter);
  add_maps_options(*command, *options);
  command->callback([options, &selected] {
    selected = [options] {
      auto status = maps(*options);
      return status ? as_int(*status)
                    : fail_with(status.error(),
                                options->learn.empty()
                                    ? "the same user, or the capability CAP_SYS_PTRACE (root has "
                                      "it)"
                                    : "root; or the capabilities CAP_BPF, CAP_PERFMON and "
                                      "CAP_SYS_PTRACE");
    };
  });
}

} // namespace mapscope
