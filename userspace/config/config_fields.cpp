// The sections of the configuration; see config_fields.h.
#include "config/config_fields.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <utility>

#include "config/alert_fields.h"
#include "config/rule_fields.h"
#include "config/values.h"

namespace mapscope::configuration {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSelectorsMax = 1000;

// "127.0.0.1:9435", "[::1]:9435", "localhost:9435". Port 0: the kernel chooses one.
std::string listen_problem(std::string_view text) {
  const std::string problem = fmt::format("{} is no address with a port", in_quotes(text));
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || text.size() > 256)
    return problem;
  std::string host{text.substr(0, colon)};
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size())
    return problem;
  in6_addr address{};
  if (host.starts_with('[') && host.ends_with(']'))
    return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address) == 1 ? ""
                                                                                         : problem;
  return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &address) == 1 ? "" : problem;
}

std::string socket_problem(std::string_view text) {
  if (!text.starts_with('/'))
    return fmt::format("{} is no absolute path", in_quotes(text));
  return text.size() < sizeof(sockaddr_un{}.sun_path) ? "" : "the path is too long for a socket";
}

ConfigValue<WatchConfig> watch_section() {
  using W = WatchConfig;
  return section<W>({field("include", &W::include, list_of(selector(), kSelectorsMax)),
                     field("exclude", &W::exclude, list_of(selector(), kSelectorsMax)),
                     field("processes_max", &W::processes_max, count<std::uint32_t>(1, 100'000))},
                    [](const W &watch, const ConfigComplaint &complain) {
                      for (const auto &[key, list] : {std::pair{"include", &watch.include},
                                                      std::pair{"exclude", &watch.exclude}})
                        for (const ProcessSelector &each : *list)
                          if (each.empty())
                            complain(key,
                                     "has an item without a pattern, which would be every process; "
                                     "expected one pattern at least in each");
                    });
}

ConfigValue<CensusConfig> census_section() {
  using C = CensusConfig;
  return section<C>(
      {field("interval", &C::interval, seconds(1s, 24h)),
       field("shortest", &C::shortest, seconds(1s, 24h)),
       field("longest", &C::longest, seconds(1s, 24h)),
       field("cpu_share", &C::cpu_share, share(0.0001, 1)),
       field("maps_max", &C::maps_max, count<std::uint32_t>(1, 100'000)),
       field("maps_shown", &C::maps_shown, count<std::uint32_t>(0, 10'000)),
       field("snapshot_directory", &C::snapshot_directory, optional_path()),
       field("snapshots_max_bytes", &C::snapshots_max_bytes, size(0, 1ULL << 50))},
      [](const C &census, const ConfigComplaint &complain) {
        if (census.shortest > census.interval)
          complain("shortest", fmt::format("longer than interval ({}); expected at most that",
                                           duration_text(census.interval)));
        if (census.longest < census.interval)
          complain("longest", fmt::format("shorter than interval ({}); expected at least that",
                                          duration_text(census.interval)));
        if (census.maps_shown > census.maps_max)
          complain("maps_shown",
                   fmt::format("above maps_max ({}); expected at most that", census.maps_max));
      });
}

ConfigValue<EventsConfig> events_section() {
  using E = EventsConfig;
  return section<E>({field("enabled", &E::enabled, boolean()),
                     field("cpu_share", &E::cpu_share, share(0.0001, 1))});
}

ConfigValue<VerifyConfig> verify_section() {
  using V = VerifyConfig;
  return section<V>({field("at_start", &V::at_start, seconds(1s, 1h, ZeroMeans::never)),
                     field("every", &V::every, seconds(1min, 7 * 24h, ZeroMeans::never)),
                     field("for", &V::for_, seconds(1s, 1h))},
                    [](const V &verify, const ConfigComplaint &complain) {
                      if (verify.every != 0s && verify.for_ >= verify.every)
                        complain("for", fmt::format("not shorter than every ({}), so that the "
                                                    "probes would never come off; expected less",
                                                    duration_text(verify.every)));
                    });
}

ConfigValue<BpfConfig> bpf_section() {
  using B = BpfConfig;
  return section<B>({field("enabled", &B::enabled, boolean()),
                     field("interval", &B::interval, seconds(1s, 24h)),
                     field("metrics", &B::metrics, boolean()),
                     field("count_budget", &B::count_budget, milliseconds(1ms, 10s)),
                     field("rate_window", &B::rate_window, milliseconds(10ms, 10s)),
                     field("key_directory", &B::key_directory, optional_path()),
                     field("key_file_bytes", &B::key_file_bytes, size(1ULL << 10, 1ULL << 30)),
                     field("key_files_max_bytes", &B::key_files_max_bytes, size(0, 1ULL << 50))},
                    [](const B &bpf, const ConfigComplaint &complain) {
                      if (bpf.rate_window >= bpf.interval)
                        complain("rate_window",
                                 fmt::format("not shorter than interval ({}), so that every system "
                                             "call would be taxed all the time; expected less",
                                             duration_text(bpf.interval)));
                    });
}

ConfigValue<ServeConfig> serve_section() {
  using S = ServeConfig;
  return section<S>(
      {field("address", &S::address,
             optional_text("an address such as 127.0.0.1:9435 or [::1]:9435, or \"\" for none",
                           listen_problem)),
       field("socket", &S::socket,
             optional_text("the absolute path of a socket, or \"\" for none", socket_problem)),
       field("metric_maps_max", &S::metric_maps_max, count<std::uint32_t>(0, 1000)),
       field("metric_processes_max", &S::metric_processes_max, count<std::uint32_t>(1, 10'000))});
}

ConfigValue<LimitsConfig> limits_section() {
  using L = LimitsConfig;
  return section<L>({field("memory_bytes", &L::memory_bytes, size(32ULL << 20, 1ULL << 40)),
                     field("cpu_share", &L::cpu_share, share(0.001, 64))});
}

ConfigValue<LogConfig> log_section() {
  using L = LogConfig;
  return section<L>(
      {field("level", &L::level, word({"error", "warning", "info", "debug", "trace"})),
       field("target", &L::target, word({"auto", "journal", "console"}))});
}

// parse_config() has taken what it says; printed, all rules stand in the list.
ConfigField<DaemonConfig> default_rules_field() {
  ConfigValue<bool> value = boolean();
  return {.key = std::string{kDefaultRulesKey},
          .expected = value.expected,
          .read =
              [read = value.read](const ConfigPlace &place, DaemonConfig &) {
                bool checked = true;
                read(place, checked);
              },
          .write = [](const DaemonConfig &) { return scalar_node("false"); },
          .keys_below = {}};
}

} // namespace

ConfigFields<DaemonConfig> config_fields() {
  using D = DaemonConfig;
  return {
      field("watch", &D::watch, watch_section()),    field("census", &D::census, census_section()),
      field("events", &D::events, events_section()), field("verify", &D::verify, verify_section()),
      field("bpf", &D::bpf, bpf_section()),          default_rules_field(),
      field("rules", &D::rules, rule_list()),        field("alerts", &D::alerts, alerts_section()),
      field("serve", &D::serve, serve_section()),    field("limits", &D::limits, limits_section()),
      field("log", &D::log, log_section())};
}

} // namespace mapscope::configuration
