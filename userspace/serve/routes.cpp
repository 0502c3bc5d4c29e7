// Nothing here changes anything, and nothing but a profile takes long; see routes.h.
#include "serve/routes.h"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "serve/api_json.h"
#include "serve/metrics.h"

namespace mapscope {
namespace {

constexpr std::string_view kProcesses = "/api/v1/processes";
constexpr std::size_t kPatternBytesMax = 256;
constexpr std::ptrdiff_t kPatternStarsMax = 8; // each multiplies what a match may cost

constexpr std::string_view kIndex =
    R"(mapscope watches the maps of Go programs. What can be asked here:

/metrics                            for Prometheus
/healthz                            200 while all is well
/readyz                             200 once all that runs has been found
/api/v1/status                      what the daemon does, and what it lost
/api/v1/processes                   what is watched; ?exe=GLOB, ?limit=N
/api/v1/processes/PID               one of them, with its largest maps
/api/v1/processes/PID/maps          its maps as `mapscope maps --json` has them
/api/v1/bpf-maps                    the kernel's maps as `mapscope bpf-maps --json` has them
/api/v1/findings                    ?state=firing, ?state=resolved, ?rule=NAME
/debug/pprof/maps?pid=PID           for `go tool pprof`
)";

Now now() { return {.monotonic_ns = now_ns(), .wall_ns = now_ns(CLOCK_REALTIME)}; }

HttpAnswer text_reply(int status, std::string_view text) {
  return {.status = status, .type = "text/plain; charset=utf-8", .body = std::string{text}};
}

HttpAnswer json_reply(std::string document) { return {.body = std::move(document)}; }

template <typename Number> std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return {};
  return number;
}

const std::string *parameter(const HttpQuery &query, const std::string &name) {
  const auto found = query.parameters.find(name);
  return found == query.parameters.end() ? nullptr : &found->second;
}

int status_of(Errc code) {
  switch (code) {
  case Errc::not_found:
    return 404;
  case Errc::gone:
    return 410;
  case Errc::denied:
    return 403;
  case Errc::usage:
    return 400;
  case Errc::malformed:
  case Errc::unsupported:
    return 501;
  case Errc::system:
    return 500;
  }
  return 500;
}

HttpAnswer failure_reply(const Error &error) {
  return error_reply(status_of(error.code()), error.message());
}

HttpAnswer unknown_process(std::uint32_t pid) {
  return error_reply(
      404, fmt::format("process {} is not watched; {} lists those that are", pid, kProcesses));
}

// The name in a Host header, without its port, in lower case: "localhost", "[::1]".
std::string host_name(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != host.npos && !host.substr(colon).contains(']'))
    host = host.substr(0, colon);
  std::string name{host};
  std::ranges::transform(name, name.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return name;
}

// The first format that the client names, of those that there are. Quality values are not weighed:
// who can read OpenMetrics gets it.
bool wants_open_metrics(const HttpQuery &query) {
  return query.accept.contains("application/openmetrics-text");
}

bool is_pattern_cheap(std::string_view pattern) {
  return pattern.size() <= kPatternBytesMax && std::ranges::count(pattern, '*') <= kPatternStarsMax;
}

} // namespace

// A web page of somebody else's can make a browser ask for names that lead here, and would read the
// answers. Names of this host lead nowhere else.
bool Routes::is_host_allowed(const HttpQuery &query) const {
  if (query.transport == Transport::unix_socket || !served_.is_loopback || query.host.empty())
    return true;
  const std::string name = host_name(query.host);
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]" ||
         name == host_name(served_.address) || name == host_name(config_.address);
}

HttpAnswer Routes::reply(const HttpQuery &query) {
  if (query.method != "GET" && query.method != "HEAD") {
    HttpAnswer reply = error_reply(405, "nothing can be changed here: GET and HEAD only");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  if (!is_host_allowed(query))
    return error_reply(403, "this is served to clients that ask for this host by a name of its "
                            "own: localhost, 127.0.0.1 or [::1]");
  return route(query);
}

HttpAnswer Routes::route(const HttpQuery &query) {
  const std::string_view path = query.path;
  if (path == "/")
    return text_reply(200, kIndex);
  if (path == "/metrics")
    return metrics(query);
  if (path == "/healthz")
    return health();
  if (path == "/readyz")
    return view_.is_ready() ? text_reply(200, "ok\n")
                            : text_reply(503, "the first scan of the host is not done yet\n");
  if (path == "/api/v1/status")
    return json_reply(status_json(view_, now()));
  if (path == kProcesses)
    return processes(query);
  if (path.starts_with(kProcesses) && path[kProcesses.size()] == '/')
    return process_route(path.substr(kProcesses.size() + 1));
  if (path == "/api/v1/bpf-maps")
    return bpf_maps();
  if (path == "/api/v1/findings")
    return findings(query);
  if (path == "/debug/pprof/maps")
    return profile(query);
  return error_reply(404, "there is nothing here; / lists what there is");
}

// "1234", "1234/maps"
HttpAnswer Routes::process_route(std::string_view rest) {
  const std::size_t slash = rest.find('/');
  const std::optional<std::uint32_t> pid = parse_number<std::uint32_t>(rest.substr(0, slash));
  if (!pid)
    return error_reply(404, fmt::format("{}/PID wants the number of a process", kProcesses));
  if (slash == rest.npos)
    return process(*pid);
  if (rest.substr(slash) == "/maps")
    return maps(*pid);
  return error_reply(404, "there is nothing here; / lists what there is");
}

HttpAnswer Routes::metrics(const HttpQuery &query) const {
  const bool is_open = wants_open_metrics(query);
  return {.type = is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                          : "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics_text(view_, config_,
                               is_open ? MetricsFormat::open_metrics : MetricsFormat::prometheus)};
}

HttpAnswer Routes::health() const {
  const std::string problem = view_.health();
  return problem.empty() ? text_reply(200, "ok\n") : text_reply(503, problem + "\n");
}

HttpAnswer Routes::processes(const HttpQuery &query) const {
  std::size_t limit = SIZE_MAX;
  if (const std::string *text = parameter(query, "limit")) {
    const std::optional<std::size_t> number = parse_number<std::size_t>(*text);
    if (!number)
      return error_reply(400, "limit wants a number");
    limit = *number;
  }
  std::vector<WatchedProcess> processes = view_.processes();
  if (const std::string *pattern = parameter(query, "exe")) {
    if (!is_pattern_cheap(*pattern))
      return error_reply(400, fmt::format("exe wants a pattern of at most {} bytes with at most {} "
                                          "stars",
                                          kPatternBytesMax, kPatternStarsMax));
    std::erase_if(processes, [&](const WatchedProcess &process) {
      return ::fnmatch(pattern->c_str(), process.process.exe.c_str(), 0) != 0;
    });
  }
  // The largest first, as a limit should leave them.
  std::ranges::stable_sort(processes, std::ranges::greater{}, [](const WatchedProcess &process) {
    return process.census ? process.census->map_bytes : 0;
  });
  const std::size_t not_shown = processes.size() - std::min(limit, processes.size());
  processes.resize(processes.size() - not_shown);
  return json_reply(processes_json(processes, not_shown, now()));
}

HttpAnswer Routes::process(std::uint32_t pid) const {
  for (const WatchedProcess &process : view_.processes())
    if (process.process.key.pid == pid)
      return json_reply(process_json(process, now()));
  return unknown_process(pid);
}

HttpAnswer Routes::maps(std::uint32_t pid) const {
  const Result<std::shared_ptr<const std::string>> document = view_.maps_json(pid);
  if (!document)
    return failure_reply(document.error());
  return json_reply(**document);
}

HttpAnswer Routes::bpf_maps() const {
  const Result<std::shared_ptr<const std::string>> document = view_.bpf_maps_json();
  if (!document)
    return failure_reply(document.error());
  return json_reply(**document);
}

HttpAnswer Routes::findings(const HttpQuery &query) const {
  std::vector<Alert> alerts = view_.alerts();
  if (const std::string *state = parameter(query, "state")) {
    if (*state != "firing" && *state != "resolved")
      return error_reply(400, "state wants firing or resolved");
    std::erase_if(alerts, [&](const Alert &alert) {
      return (alert.resolved_wall_ns == 0) != (*state == "firing");
    });
  }
  if (const std::string *rule = parameter(query, "rule"))
    std::erase_if(alerts, [&](const Alert &alert) { return alert.finding.rule != *rule; });
  return json_reply(findings_json(alerts));
}

HttpAnswer Routes::profile(const HttpQuery &query) {
  const std::string *text = parameter(query, "pid");
  const std::optional<std::uint32_t> pid =
      text == nullptr ? std::nullopt : parse_number<std::uint32_t>(*text);
  if (!pid)
    return error_reply(400, "?pid=N has to say of which process");
  HttpAnswer reply{.type = "application/octet-stream",
                   .headers = {{"Content-Disposition",
                                fmt::format("attachment; filename=\"maps-{}.pb.gz\"", *pid)}}};
  if (query.method == "HEAD")
    return reply; // a census for a few headers would be too dear
  if (is_profiling_.exchange(true)) {
    reply = error_reply(503, "another profile is being taken; try again in some seconds");
    reply.headers.emplace_back("Retry-After", "5");
    return reply;
  }
  Result<std::string> profile = view_.profile(*pid);
  is_profiling_ = false;
  if (!profile)
    return failure_reply(profile.error());
  reply.body = *std::move(profile);
  return reply;
}

} // namespace mapscope
