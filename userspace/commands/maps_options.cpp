// What to read and what to show; see maps_options.h.
#include "commands/maps_options.h"

#include <array>
#include <string_view>

#include <CLI/CLI.hpp>

#include "judge/option_words.h"

namespace mapscope {
namespace {

constexpr std::array kOrders = {std::pair{std::string_view{"reclaimable"}, MapOrder::reclaimable},
                                std::pair{std::string_view{"bytes"}, MapOrder::bytes},
                                std::pair{std::string_view{"len"}, MapOrder::len},
                                std::pair{std::string_view{"slots"}, MapOrder::slots},
                                std::pair{std::string_view{"fill"}, MapOrder::fill},
                                std::pair{std::string_view{"resident"}, MapOrder::resident},
                                std::pair{std::string_view{"tombstones"}, MapOrder::tombstones},
                                std::pair{std::string_view{"address"}, MapOrder::address},
                                std::pair{std::string_view{"type"}, MapOrder::type}};

void add_sources(CLI::App &command, MapsOptions &options) {
  command.add_option("-p,--pid", options.pid, "Look at this running process")
      ->check(CLI::PositiveNumber);
  command.add_option("--core", options.core, "Look at this ELF core file")->type_name("FILE");
  command
      .add_option("--exe", options.exe,
                  "The program of the core file (default: the one that the core file names)")
      ->type_name("BINARY");
  command.add_option("--snapshot", options.snapshot, "Look at what --save kept")
      ->type_name("SNAPSHOT");
  command.add_option("--diff", options.diff, "What changed between two snapshots")
      ->type_name("BEFORE AFTER")
      ->expected(2);
}

} // namespace

void add_maps_options(CLI::App &command, MapsOptions &options) {
  add_sources(command, options);
  command
      .add_option("--sort", options.sort,
                  "The most of this first: reclaimable (default), bytes, len, slots, resident, "
                  "tombstones; or the lowest fill, address or type")
      ->type_name("ORDER");
  command.add_option("--top", options.top, "Show so many maps (default: 20; 0: all)")
      ->type_name("COUNT");
  command.add_option("--min-bytes", options.min_bytes, "Only maps of so much: 4096, 64KiB, 1MiB")
      ->type_name("SIZE");
  command
      .add_option("--type", options.type,
                  "Only maps whose type has this in its name; with a *, the whole name")
      ->type_name("NAME");
  command.add_option("--group-by", options.group_by, "One line for all maps of a type")
      ->check(CLI::IsMember({"type"}));
  command.add_option("--explain", options.explain, "Show the map whose header is there, in full")
      ->type_name("ADDRESS");
  command.add_flag("--payload", options.payload,
                   "With --explain: the bytes behind keys and elements, from a sample");
  command.add_flag("--json", options.json,
                   "One JSON document (schema mapscope.maps/1); with --watch one a line");
  command.add_option("--watch", options.watch_seconds, "Look again every so many seconds")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
  command
      .add_option("--save", options.save,
                  "Keep what was read of the process in this file, and report from it")
      ->type_name("SNAPSHOT");
  command
      .add_option("--fail-on", options.fail_on,
                  "Exit with status 1 if this holds: 'reclaimable>64MiB', 'map.bytes>1GiB'")
      ->type_name("CONDITION");
  command.add_option("-o,--output", options.output, "Write to this file")->type_name("FILE");
}

namespace {

Result<> check_sources(const MapsOptions &options) {
  int named =
      (options.pid > 0) + !options.core.empty() + !options.snapshot.empty() + !options.diff.empty();
  if (named > 1)
    return fail(Errc::usage, "-p PID, --core, --snapshot and --diff exclude each other");
  if (named == 0)
    return fail(Errc::usage,
                "nothing to look at: give -p PID, --core FILE, --snapshot FILE, or --diff and two "
                "snapshots");
  if (!options.exe.empty() && options.core.empty())
    return fail(Errc::usage, "--exe goes with --core");
  if (options.watch_seconds > 0 && options.pid == 0)
    return fail(Errc::usage, "--watch goes with -p PID: nothing else changes");
  if (options.watch_seconds > 0 && !options.save.empty())
    return fail(Errc::usage, "--save and --watch exclude each other");
  if (!options.save.empty() && options.pid == 0 && options.core.empty())
    return fail(Errc::usage, "--save goes with -p PID or --core");
  if (options.payload && options.explain.empty())
    return fail(Errc::usage, "--payload goes with --explain ADDRESS");
  if (!options.explain.empty() && (!options.group_by.empty() || options.watch_seconds > 0))
    return fail(Errc::usage, "--explain shows one map, once");
  return {};
}

} // namespace

Result<MapsRequest> maps_request_of(const MapsOptions &options) {
  TRY(check_sources(options));
  MapsRequest request;
  const auto *order = std::ranges::find(kOrders, std::string_view{options.sort},
                                        &decltype(kOrders)::value_type::first);
  if (order == kOrders.end())
    return fail(Errc::usage,
                "--sort \"{}\": there are reclaimable, bytes, len, slots, fill, resident, "
                "tombstones, address and type",
                options.sort);
  request.selection = {.order = order->second,
                       .top = options.top,
                       .min_bytes = TRY(parse_size("--min-bytes", options.min_bytes)),
                       .type = options.type,
                       .group_by = options.group_by.empty() ? MapGroupBy::none : MapGroupBy::type};
  if (!options.explain.empty())
    request.explain = TRY(parse_map_address("--explain", options.explain));
  if (!options.fail_on.empty())
    request.fail_on = TRY(FailOn::parse(options.fail_on));
  return request;
}

} // namespace mapscope
