// `mapscope trace`: its options, and which probes they ask for.
#include "commands/trace.h"

#include <algorithm>
#include <bitset>
#include <initializer_list>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "commands/messages.h"
#include "commands/output.h"
#include "commands/target_options.h"
#include "commands/trace_options.h"
#include "commands/trace_report.h"
#include "commands/verify_report.h"
#include "pipeline/run_fan_out.h"
#include "pipeline/trace_analysis.h"

namespace mapscope {
namespace {

struct Options {
  TargetOptions target;
  TraceOptions trace;
  bool all = false, exact = false;
  std::string recording;
};

constexpr auto kFooter = R"(What to look at: -p PID, --all-go, or a command behind --.

By default, what is rare is told: growth of maps past fourteen entries, creations
with a size hint, heap growth, large allocations, memory calls, misuse. --all
also tells maps that are created without a hint, their growth past eight entries,
clearing, and tables that get rid of tombstones: about a microsecond for each. A
map that is created without a hint has no address yet; --exact, which costs more,
tells it, and the first group of each map.

Exit status: 0 done, 1 a map was misused, 2 wrong usage, 3 not supported or
events were lost, 4 not permitted, 5 the target is gone. Events go to standard
error with -- CMD, to standard output otherwise.

Examples:
  mapscope trace -- ./server --config server.yaml
  mapscope trace -c --all -- ./batch-job
  mapscope trace -p 4711 --only grown,split --min-bytes 1MiB --stack
  mapscope trace --format perfetto -o trace.json -p 4711 --duration 5)";

struct KindOperations {
  TraceKind kind;
  std::initializer_list<map_operation> operations;
};

// Whose probes tell a kind; those that a depth does not have are no matter.
const KindOperations kOperations[] = {
    {TraceKind::map_created, {MAP_OPERATION_MAKE_SMALL, MAP_OPERATION_MAKE, MAP_OPERATION_NEW_MAP}},
    {TraceKind::map_grown,
     {MAP_OPERATION_HASH_GROW, MAP_OPERATION_GROW_TO_SMALL, MAP_OPERATION_GROW_TO_TABLE,
      MAP_OPERATION_REHASH, MAP_OPERATION_TABLE_GROW}},
    {TraceKind::map_split, {MAP_OPERATION_REHASH, MAP_OPERATION_TABLE_SPLIT}},
    {TraceKind::map_rehashed, {MAP_OPERATION_PRUNE, MAP_OPERATION_REHASH, MAP_OPERATION_HASH_GROW}},
    {TraceKind::map_cleared, {MAP_OPERATION_CLEAR}},
    {TraceKind::map_cloned, {MAP_OPERATION_CLONE}},
};

// Absent where every kind is wanted: the depth then says what is probed.
std::optional<std::bitset<MAP_OPERATION_COUNT>> operations_for(const TraceFilter &filter) {
  std::bitset<MAP_OPERATION_COUNT> operations;
  bool wants_all = true;
  for (const KindOperations &row : kOperations) {
    wants_all &= filter.wants(row.kind);
    if (filter.wants(row.kind))
      for (map_operation operation : row.operations)
        operations.set(operation);
  }
  return wants_all ? std::nullopt : std::optional{operations};
}

// Only what is wanted is probed and sent, as far as the kernel side can tell.
void narrow(const TraceFilter &filter, WatchOptions &watch) {
  watch.probes.only = operations_for(filter);
  // By default these are not looked at; who names them wants them.
  bool names_dear_kinds =
      filter.wants(TraceKind::map_cleared) || filter.wants(TraceKind::map_rehashed);
  if (watch.probes.only && names_dear_kinds)
    watch.probes.depth = std::max(watch.probes.depth, Depth::full);
  watch.probes.heap_requests =
      filter.wants(TraceKind::heap_grown) || filter.wants(TraceKind::large_allocation);
  watch.probes.misuse = filter.wants(TraceKind::map_misuse);
  watch.settings.only_map = filter.map().value_or(ProcessAddress{}).value;
  watch.settings.min_bytes = filter.min_bytes();
  watch.system_calls = filter.wants(TraceKind::memory_call) || filter.wants(TraceKind::file_call);
}

Result<WatchOptions> trace_options(const Options &options, const TraceFilter &filter) {
  if (options.all && options.exact)
    return fail(Errc::usage, "--exact tells all that --all does: give one of them");
  WatchOptions watch = TRY(watch_options_of(options.target));
  watch.probes.depth = options.exact ? Depth::exact : options.all ? Depth::full : Depth::rare;
  watch.probes.windows = false; // the stack tells which operation a call was made in
  watch.probes.misuse = true;
  watch.settings.emit_operations = 1;
  watch.settings.emit_memory_calls = 1;
  if (options.recording.empty()) // a recording keeps everything: others will choose from it
    narrow(filter, watch);
  return watch;
}

Result<ExitStatus> watch_and_tell(const WatchOptions &watch, TraceOutput &output,
                                  RecordingWriter *recording) {
  TraceAnalysis analysis{output};
  RunFanOut observers{{&analysis}, recording};
  TRY(mapscope::watch(watch, observers, [&output] { return output.is_closed(); }));
  TRY(output.status());
  return status_of(output);
}

Result<ExitStatus> trace(const Options &options) {
  Fd file = TRY(open_output(options.trace.output, options.target.shares_output()));
  auto output_options = TRY(trace_output_options(options.trace, file));
  WatchOptions watch = TRY(trace_options(options, output_options.filter));
  auto recording = TRY(open_recording(options.recording));
  TraceOutput output{std::move(output_options), file};
  return close_recording(watch_and_tell(watch, output, recording.get()), recording.get());
}

} // namespace

void add_trace(CLI::App &app, std::vector<std::string> command_line,
               std::function<int()> &selected) {
  auto options = std::make_shared<Options>();
  options->target.command = std::move(command_line);
  CLI::App *command = app.add_subcommand(
      "trace", "Tell each map creation, growth and memory system call, with its line of code");
  command->footer(kFooter);
  add_target_options(*command, options->target);
  command->add_flag("--all-go", options->target.every_go_program,
                    "Watch every Go program of this host, and those that start");
  command->add_flag("--all", options->all, "Also small maps: every creation and growth, clearing");
  command->add_flag("--exact", options->exact,
                    "As --all, and the address of each new map, by probes on returns: costs more");
  add_trace_options(*command, options->trace);
  command->add_option("--record", options->recording,
                      "Also keep what the kernel said in this file, for `mapscope replay`");
  command->callback([options, &selected] {
    selected = [options] {
      auto status = trace(*options);
      return status ? as_int(*status) : fail_with(status.error());
    };
  });
}

} // namespace mapscope
