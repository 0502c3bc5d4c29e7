// What to look at and how closely; see bpf_maps_options.h.
#include "commands/bpf_maps_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <CLI/CLI.hpp>

#include "judge/option_words.h"

namespace mapscope {
namespace {

using std::chrono::milliseconds;

constexpr std::array kBpfOrders = {std::pair{std::string_view{"fill"}, BpfMapOrder::fill},
                                   std::pair{std::string_view{"entries"}, BpfMapOrder::entries},
                                   std::pair{std::string_view{"memory"}, BpfMapOrder::memory},
                                   std::pair{std::string_view{"id"}, BpfMapOrder::id},
                                   std::pair{std::string_view{"name"}, BpfMapOrder::name},
                                   std::pair{std::string_view{"lookups"}, BpfMapOrder::lookups},
                                   std::pair{std::string_view{"updates"}, BpfMapOrder::updates}};

constexpr milliseconds kRateWindow{1'000};

} // namespace

void add_bpf_maps_options(CLI::App &command, BpfMapsOptions &options) {
  command
      .add_option("--sort", options.sort,
                  "The most of this first: fill (default), entries, memory, lookups, updates; or "
                  "by id or name")
      ->type_name("ORDER");
  command.add_option("--top", options.top, "Show so many maps (default: 20; 0: all)")
      ->type_name("COUNT");
  command.add_option("--type", options.types, "Only maps of these types: hash,lru_hash")
      ->delimiter(',')
      ->type_name("TYPES");
  command.add_option("--name", options.name, "Only maps whose name is like this: 'cilium_*'")
      ->type_name("GLOB");
  command.add_flag("--own", options.own, "Only mapscope's own maps");
  command
      .add_option_function<std::string>(
          "--rates",
          [&options](const std::string &window) {
            options.wants_rates = true;
            options.rates = window;
          },
          "Count calls and runs of programs for so long (default: 1s), and tell rates; with "
          "--watch and --explain unasked, unless it is 0")
      ->expected(0, 1)
      ->type_name("WINDOW");
  command
      .add_option("--budget", options.budget,
                  "CPU time for counting entries, at most (default: 100ms)")
      ->type_name("DURATION");
  command.add_option("--explain", options.explain, "Tell all of this map, and how it is known")
      ->type_name("ID");
  command.add_option("--keys", options.keys, "Print the keys of this map, one a line")
      ->type_name("ID");
  command.add_option("--limit", options.limit, "With --keys: so many (default: 1000; 0: all)")
      ->type_name("COUNT");
  command.add_flag("--values", options.values,
                   "With --keys: values, too; else count the values of arrays that are not zero");
  command.add_option("--watch", options.watch_seconds, "Look again every so many seconds")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
  command.add_flag("--json", options.json,
                   "One JSON document (schema mapscope.bpf_maps/1); with --watch one a line");
  command.add_option("-o,--output", options.output, "Write to this file")->type_name("FILE");
}

namespace {

Result<> check_bpf_maps(const BpfMapsOptions &options) {
  const bool is_one = options.keys || options.explain;
  if (options.keys && options.explain)
    return fail(Errc::usage, "--keys and --explain exclude each other");
  if (is_one && options.watch_seconds > 0)
    return fail(Errc::usage, "--keys and --explain show one map, once");
  if (is_one && (!options.types.empty() || !options.name.empty() || options.own))
    return fail(Errc::usage, "--type, --name and --own don't go with the id of a map");
  if (options.keys && options.wants_rates)
    return fail(Errc::usage, "--keys and --rates exclude each other");
  return {};
}

// 0: no rates.
Result<milliseconds> rate_window_of(const BpfMapsOptions &options) {
  if (options.wants_rates && options.rates == "0")
    return milliseconds{0};
  if (!options.rates.empty())
    return parse_duration("--rates", options.rates);
  const bool by_sort = options.sort == "lookups" || options.sort == "updates";
  const bool is_wanted =
      options.wants_rates || options.explain || options.watch_seconds > 0 || by_sort;
  return is_wanted ? kRateWindow : milliseconds{0};
}

} // namespace

Result<BpfMapsRequest> bpf_maps_request_of(const BpfMapsOptions &options) {
  TRY(check_bpf_maps(options));
  const auto *order = std::ranges::find(kBpfOrders, std::string_view{options.sort},
                                        &decltype(kBpfOrders)::value_type::first);
  if (order == kBpfOrders.end())
    return fail(Errc::usage,
                "--sort \"{}\": there are fill, entries, memory, id, name, lookups and updates",
                options.sort);
  BpfMapsRequest request;
  request.selection = {.order = order->second,
                       .top = options.top,
                       .types = options.types,
                       .name = options.name,
                       .only_own = options.own};
  request.look.count_budget = TRY(parse_duration("--budget", options.budget));
  request.look.rate_window = TRY(rate_window_of(options));
  request.look.array_values = options.values;
  request.look.only = options.explain;
  if (options.explain)
    request.look.sample_keys_of = {*options.explain};
  if (options.watch_seconds > 0) {
    request.pause = milliseconds{static_cast<std::int64_t>(options.watch_seconds * 1'000)};
    // Half of the time nobody is taxed.
    if (options.rates.empty())
      request.look.rate_window = std::min(request.look.rate_window, request.pause / 2);
  }
  return request;
}

} // namespace mapscope
