// Sinks, silences and the database; see alert_fields.h.
#include "config/alert_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <set>
#include <utility>
#include <variant>

#include "config/values.h"

namespace mapscope::configuration {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSinksMax = 32;
constexpr std::size_t kSilencesMax = 1000;
constexpr std::size_t kUrlMax = 2048;

bool is_port(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

// "host", "host:80", "[::1]:80".
bool is_authority(std::string_view text) {
  std::string_view port = "80";
  std::string_view host = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos || (end + 1 != text.size() && text[end + 1] != ':'))
      return false;
    host = text.substr(1, end - 1);
    if (end + 1 != text.size())
      port = text.substr(end + 2);
  } else if (const std::size_t colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  return !host.empty() && is_port(port) && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '%';
  });
}

std::string url_problem(std::string_view text) {
  if (text.size() > kUrlMax)
    return "the URL is too long";
  std::string_view rest = text;
  const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  rest.remove_prefix(scheme);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.contains('@'))
    return "a password in a URL, where everybody reads it";
  const bool is_printable =
      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '"'; });
  if (scheme == 0 || !is_printable || !is_authority(authority) || rest.contains('#'))
    return fmt::format("{} is no URL", in_quotes(text));
  return "";
}

// RFC 9110: a token.
std::string header_name_problem(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool is_token =
      !text.empty() && text.size() <= 256 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kMarks.contains(c);
      });
  if (!is_token)
    return fmt::format("{} is no name of a header", in_quotes(text));
  std::string lower{text};
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  for (std::string_view own :
       {"host", "content-length", "content-type", "transfer-encoding", "connection"})
    if (lower == own)
      return fmt::format("{} is for mapscope to set", in_quotes(text));
  if (lower == "authorization" || lower == "proxy-authorization")
    return "a secret in this file, where everybody reads it; bearer_token_file and password_file "
           "name files for it";
  return "";
}

std::string header_value_problem(std::string_view text) {
  const bool is_fine = text.size() <= 4096 && std::ranges::all_of(text, [](char c) {
                         return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
                       });
  return is_fine ? "" : "a value that does not fit a header";
}

std::string argument_problem(std::string_view text) {
  return text.size() <= 4096 ? "" : "the argument is too long";
}

ConfigFields<HttpEndpoint> endpoint_fields() {
  using E = HttpEndpoint;
  return {
      required(
          field("url", &E::url, text("a URL such as https://alerts.example:9093", url_problem))),
      field("headers", &E::headers,
            word_map("a map of headers, such as {X-Scope-OrgID: ops}", header_name_problem,
                     header_value_problem, 32)),
      field("username", &E::username, optional_text("a name, or \"\" for none", no_problem)),
      field("password_file", &E::password_file, optional_path()),
      field("bearer_token_file", &E::bearer_token_file, optional_path()),
      field("ca_file", &E::ca_file, optional_path()),
      field("certificate_file", &E::certificate_file, optional_path()),
      field("key_file", &E::key_file, optional_path()),
      field("timeout", &E::timeout, milliseconds(100ms, 5min)),
  };
}

template <typename Sink> ConfigFields<Sink> endpoint_of() {
  return lift<Sink>(endpoint_fields(), [](auto &sink) -> auto & { return sink.endpoint; });
}

ConfigFields<AlertmanagerSink> fields_of(AlertmanagerSink *) {
  return joined(endpoint_of<AlertmanagerSink>(),
                {field("resend", &AlertmanagerSink::resend, seconds(5s, 1h))});
}
ConfigFields<WebhookSink> fields_of(WebhookSink *) { return endpoint_of<WebhookSink>(); }
ConfigFields<FileSink> fields_of(FileSink *) {
  return {required(field("path", &FileSink::path, absolute_path()))};
}
ConfigFields<CommandSink> fields_of(CommandSink *) {
  return {required(field("command", &CommandSink::command,
                         list_of(text("a word of a command line", argument_problem), 256))),
          field("timeout", &CommandSink::timeout, milliseconds(100ms, 1h))};
}

using SinkVariant = decltype(SinkConfig::kind);
constexpr std::array<std::string_view, std::variant_size_v<SinkVariant>> kSinkKindNames = {
    "alertmanager", "webhook", "file", "command"};

struct SinkKind {
  SinkVariant defaults;
  ConfigFields<SinkConfig> fields;
};

template <typename Sink> SinkKind kind_of() {
  return {Sink{}, lift<SinkConfig>(fields_of(static_cast<Sink *>(nullptr)),
                                   [](auto &sink) -> auto & { return std::get<Sink>(sink.kind); })};
}

// By SinkVariant::index().
std::vector<SinkKind> sink_kinds() {
  return {kind_of<AlertmanagerSink>(), kind_of<WebhookSink>(), kind_of<FileSink>(),
          kind_of<CommandSink>()};
}

std::vector<std::string> kind_words() { return {kSinkKindNames.begin(), kSinkKindNames.end()}; }

ConfigFields<SinkConfig> fields_with(const ConfigFields<SinkConfig> &of_kind) {
  const ConfigValue<SinkVariant> kind{.expected = word(kind_words()).expected,
                                      // Read first, since it decides which other keys there are.
                                      .read = [](const ConfigPlace &, SinkVariant &) {},
                                      .write =
                                          [](const SinkVariant &value) {
                                            return scalar_node(
                                                std::string{kSinkKindNames[value.index()]});
                                          }};
  ConfigFields<SinkConfig> first = {required(field("name", &SinkConfig::name, name())),
                                    required(field("kind", &SinkConfig::kind, kind))};
  ConfigFields<SinkConfig> last = {
      field("queue_max", &SinkConfig::queue_max, count<std::uint32_t>(10, 1'000'000)),
      field("retry_first", &SinkConfig::retry_first, milliseconds(100ms, 1h)),
      field("retry_longest", &SinkConfig::retry_longest, milliseconds(100ms, 24h)),
      field("send_resolved", &SinkConfig::send_resolved, boolean()),
  };
  return joined(joined(std::move(first), of_kind), last);
}

void check_endpoint(const HttpEndpoint &endpoint, const ConfigComplaint &complain) {
  const bool is_plain = endpoint.url.starts_with("http://");
  if (endpoint.username.empty() != endpoint.password_file.empty())
    complain(endpoint.username.empty() ? "password_file" : "username",
             "stands alone; expected username and password_file together");
  if (!endpoint.bearer_token_file.empty() && !endpoint.username.empty())
    complain("bearer_token_file", "beside username; expected one way to log in");
  if (endpoint.certificate_file.empty() != endpoint.key_file.empty())
    complain(endpoint.key_file.empty() ? "certificate_file" : "key_file",
             "stands alone; expected certificate_file and key_file together");
  for (const auto &[key, file] : {std::pair{"ca_file", &endpoint.ca_file},
                                  std::pair{"certificate_file", &endpoint.certificate_file}})
    if (is_plain && !file->empty())
      complain(key, "with an http:// URL, where nothing is encrypted; expected https://");
}

void check_sink(const SinkConfig &sink, const ConfigComplaint &complain) {
  if (sink.retry_first > sink.retry_longest)
    complain("retry_first", fmt::format("longer than retry_longest ({}); expected at most that",
                                        duration_text(sink.retry_longest)));
  if (const auto *alertmanager = std::get_if<AlertmanagerSink>(&sink.kind))
    check_endpoint(alertmanager->endpoint, complain);
  if (const auto *webhook = std::get_if<WebhookSink>(&sink.kind))
    check_endpoint(webhook->endpoint, complain);
  const auto *command = std::get_if<CommandSink>(&sink.kind);
  if (command != nullptr && (command->command.empty() || !command->command[0].starts_with('/')))
    complain("command", "does not begin with a program; expected its absolute path first");
}

void read_sink(const ConfigPlace &place, SinkConfig &sink) {
  if (place.node.kind != YamlKind::map)
    return place.wrong(
        fmt::format("{}; expected a map with name and kind", name_of(place.node.kind)));
  const YamlEntry *kind = find_entry(place.node, "kind");
  if (kind == nullptr)
    return place.problems.add(place.node.mark, path_below(place.path, "kind"),
                              fmt::format("is missing; expected {}", word(kind_words()).expected));
  std::string read;
  word(kind_words()).read({kind->value, path_below(place.path, "kind"), place.problems}, read);
  const auto found = std::ranges::find(kSinkKindNames, read);
  if (found == kSinkKindNames.end())
    return;
  const SinkKind chosen = sink_kinds()[static_cast<std::size_t>(found - kSinkKindNames.begin())];
  sink.kind = chosen.defaults;
  read_fields(place, fields_with(chosen.fields), sink);
  check_fields<SinkConfig>(place, check_sink, sink);
}

ConfigValue<SinkConfig> sink() {
  ConfigFields<SinkConfig> fields;
  std::set<std::string> seen; // "url" is a key of two kinds
  for (SinkKind &kind : sink_kinds())
    for (ConfigField<SinkConfig> &field : kind.fields)
      if (seen.insert(field.key).second)
        fields.push_back(std::move(field));
  return {.expected = "a map with name and kind",
          .read = read_sink,
          .write =
              [](const SinkConfig &sink) {
                return write_fields(fields_with(sink_kinds()[sink.kind.index()].fields), sink);
              },
          .keys_below = all_keys_of(fields_with(fields))};
}

ConfigValue<Silence> silence() {
  ConfigValue<std::uint64_t> time =
      scalar<std::uint64_t>("a time such as 2026-12-24T18:00:00Z", time_from,
                            [](const std::uint64_t &wall_ns) { return time_text(wall_ns); });
  return section<Silence>(
      {required(field("match", &Silence::match, labels())),
       field("until", &Silence::until_wall_ns, optional_of(time)),
       field("comment", &Silence::comment, text("a text", label_value_problem))},
      [](const Silence &silence, const ConfigComplaint &complain) {
        if (silence.match.empty())
          complain("match", "would silence everything; expected one label at least");
      });
}

void check_names(const AlertsConfig &alerts, const ConfigComplaint &complain) {
  std::set<std::string> names;
  for (const SinkConfig &sink : alerts.sinks)
    if (!sink.name.empty() && !names.insert(sink.name).second)
      complain("sinks", fmt::format("two have the name {}; expected a name of its own for each",
                                    in_quotes(sink.name)));
}

} // namespace

ConfigValue<AlertsConfig> alerts_section() {
  using A = AlertsConfig;
  return section<A>(
      {field("database", &A::database, absolute_path()),
       field("sinks", &A::sinks, list_of(sink(), kSinksMax)),
       field("silences", &A::silences, list_of(silence(), kSilencesMax)),
       field("per_rule_per_hour", &A::per_rule_per_hour, count<std::uint32_t>(1, 1'000'000)),
       field("labels", &A::labels, labels())},
      check_names);
}

} // namespace mapscope::configuration
