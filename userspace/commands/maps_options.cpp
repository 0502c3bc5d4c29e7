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

constexpr std::array kGroupings = {std::pair{std::string_view{""}, MapGroupBy::none},
                                   std::pair{std::string_view{"type"}, MapGroupBy::type},
                                   std::pair{std::string_view{"owner"}, MapGroupBy::owner},
                                   std::pair{std::string_view{"site"}, MapGroupBy::site}};

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

void add_owner_options(CLI::App &command, MapsOptions &options) {
  command.add_flag("--owners", options.owners,
                   "Look for who holds each map, and which lines made them grow, however long "
                   "that takes (default: where it is quick)");
  command.add_flag("--no-owners", options.no_owners, "Never look for these");
  command
      .add_option("--owner", options.owner,
                  "Only maps with this in the path of who holds them; with a *, the whole path")
      ->type_name("NAME");
  command
      .add_option("--site", options.site,
                  "Only maps that were made or grew in this function or FILE:LINE; with a *, the "
                  "whole of it")
      ->type_name("NAME");
  command
      .add_option("--learn", options.learn,
                  "First learn from the writes to maps, for so long: exact types, and the lines "
                  "that write (10s, 500ms; needs BPF)")
      ->type_name("DURATION");
  command
      .add_option("--pprof", options.pprof,
                  "Also write all maps to this file, as a profile for `go tool pprof`")
      ->type_name("FILE");
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
  command
      .add_option("--group-by", options.group_by,
                  "One line for all maps of a type, owner or site of allocation")
      ->check(CLI::IsMember({"type", "owner", "site"}))
      ->type_name("WHAT");
  add_owner_options(command, options);
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

// The options that can't be answered without owners and sites; the first that is given.
std::string_view option_that_needs_owners(const MapsOptions &options) {
  return options.owners                                              ? "--owners"
         : !options.owner.empty()                                    ? "--owner"
         : !options.site.empty()                                     ? "--site"
         : options.group_by == "owner" || options.group_by == "site" ? "--group-by"
         : !options.learn.empty()                                    ? "--learn"
         : !options.pprof.empty()                                    ? "--pprof"
                                                                     : "";
}

Result<> check_owner_options(const MapsOptions &options) {
  const std::string_view needing = option_that_needs_owners(options);
  if (options.no_owners && !needing.empty())
    return fail(Errc::usage, "{} needs what --no-owners leaves out", needing);
  if (!options.diff.empty() && !needing.empty())
    return fail(Errc::usage, "{} does not go with --diff, which compares maps by their type",
                needing);
  if (!options.learn.empty() && options.pid == 0)
    return fail(Errc::usage, "--learn goes with -p PID: nothing else writes to its maps");
  if (!options.pprof.empty() && options.watch_seconds > 0)
    return fail(Errc::usage, "--pprof and --watch exclude each other: a profile is of one look");
  return {};
}

} // namespace

Result<MapsRequest> maps_request_of(const MapsOptions &options) {
  TRY(check_sources(options));
  TRY(check_owner_options(options));
  MapsRequest request;
  const auto *order = std::ranges::find(kOrders, std::string_view{options.sort},
                                        &decltype(kOrders)::value_type::first);
  if (order == kOrders.end())
    return fail(Errc::usage,
                "--sort \"{}\": there are reclaimable, bytes, len, slots, fill, resident, "
                "tombstones, address and type",
                options.sort);
  const auto *grouping = std::ranges::find(kGroupings, std::string_view{options.group_by},
                                           &decltype(kGroupings)::value_type::first);
  if (grouping == kGroupings.end())
    return fail(Errc::usage, "--group-by \"{}\": there are type, owner and site", options.group_by);
  request.selection = {.order = order->second,
                       .top = options.top,
                       .min_bytes = TRY(parse_size("--min-bytes", options.min_bytes)),
                       .type = options.type,
                       .owner = options.owner,
                       .site = options.site,
                       .group_by = grouping->second};
  request.owners = options.no_owners                           ? OwnersWanted::no
                   : option_that_needs_owners(options).empty() ? OwnersWanted::automatic
                                                               : OwnersWanted::yes;
  if (!options.learn.empty())
    request.learn = TRY(parse_duration("--learn", options.learn));
  if (!options.explain.empty())
    request.explain = TRY(parse_map_address("--explain", options.explain));
  if (!options.fail_on.empty())
    request.fail_on = TRY(FailOn::parse(options.fail_on));
  return request;
}

} // namespace mapscope
