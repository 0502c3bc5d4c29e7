// Choosing and showing trace events; see trace_options.h.
#include "commands/trace_options.h"

#include <CLI/CLI.hpp>

#include "report/terminal.h"

namespace mapscope {

void add_trace_options(CLI::App &command, TraceOptions &options) {
  command
      .add_option(
          "--only", options.filter.only,
          "Only these, with commas: created, grown, split, rehashed, cleared, cloned, heap, large, "
          "memory, file, misuse, process, or names of calls such as mmap")
      ->type_name("KINDS")
      ->expected(1);
  command
      .add_option("--min-bytes", options.filter.min_bytes,
                  "Only what asks for so much or more: 4096, 64KiB, 1MiB")
      ->type_name("SIZE");
  command.add_option("--map", options.filter.map, "Only the map whose header is at this address")
      ->type_name("ADDRESS");
  command
      .add_option("--type", options.filter.type,
                  "Only maps whose type has this in its name; with a *, the whole name")
      ->type_name("NAME");
  command
      .add_option("--site", options.filter.site,
                  "Only what this function, or FILE:LINE, does; a part of the name suffices")
      ->type_name("NAME");
  command.add_flag("--stack", options.stack, "Show the whole stack of each event");
  command.add_flag("-c,--summary", options.summary,
                   "Count by line of code and by kind, and show that at the end instead of events");
  command.add_flag("-C,--with-summary", options.with_summary, "Show events and the summary");
  command.add_flag("--json", options.json, "One JSON object a line (schema mapscope.trace/1)");
  command
      .add_option("--format", options.format, "text, json, or perfetto (opens in ui.perfetto.dev)")
      ->check(CLI::IsMember({"text", "json", "perfetto"}));
  command
      .add_option("--time", options.time,
                  "start (seconds since the start), clock, epoch, delta (since the line before) "
                  "or none")
      ->type_name("FORMAT");
  command.add_option("-o,--output", options.output, "Write to this file")->type_name("FILE");
}

Result<TraceOutputOptions> trace_output_options(const TraceOptions &options, const Fd &file) {
  TraceOutputOptions output;
  if (options.json && options.format == "perfetto")
    return fail(Errc::usage, "--json and --format perfetto exclude each other");
  if (options.format == "perfetto" && (options.summary || options.with_summary))
    return fail(Errc::usage, "--format perfetto has no place for a summary");
  if (options.format == "perfetto")
    output.format = TraceFormat::perfetto;
  else if (options.json || options.format == "json")
    output.format = TraceFormat::json;
  output.filter = TRY(TraceFilter::parse(options.filter));
  output.shows_events = !options.summary;
  output.shows_summary = options.summary || options.with_summary;
  output.text.colour = wants_colour(file.get());
  output.text.show_stacks = options.stack;
  output.text.time.format = TRY(parse_time_format(options.time));
  return output;
}

} // namespace mapscope
