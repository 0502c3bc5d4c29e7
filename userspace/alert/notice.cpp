// Notices as JSON: the stored form and the two that receivers get, from one description of a
// finding.
#include "alert/notice.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <ctime>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/printable.h"

namespace mapscope {

namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kLabelBytesMax = 1024;
constexpr std::uint64_t kSecondNs = 1'000'000'000;

std::string text_of(const auto &json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

OrderedJson known(const std::string &text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

// Prometheus' data model; an unfit label would make Alertmanager refuse the alert.
std::string label_name(std::string_view name) {
  std::string fit(name);
  for (char &c : fit)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
      c = '_';
  if (!fit.empty() && fit.front() >= '0' && fit.front() <= '9')
    fit.insert(fit.begin(), '_');
  return fit;
}

std::string label_value(std::string_view value) {
  std::string fit = printable(value);
  if (fit.size() > kLabelBytesMax) {
    std::size_t end = kLabelBytesMax;
    while (end > 0 && (static_cast<unsigned char>(fit[end]) & 0xC0U) == 0x80)
      --end;
    fit.resize(end);
  }
  return fit;
}

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1)); // npos + 1 is 0
}

// Null: it is about a map of the kernel.
OrderedJson process_json(const Finding &finding) {
  if (finding.bpf_map)
    return nullptr;
  const ProcessIdentity &process = finding.process;
  return {{"pid", process.key.pid},
          {"start_time_ns", process.key.start_time_ns},
          {"exe", process.exe},
          {"command_line", process.command_line},
          {"uid", process.uid},
          {"user", known(process.user)},
          {"container_id", known(process.cgroup.container_id)},
          {"pod_uid", known(process.cgroup.pod_uid)},
          {"unit", known(process.cgroup.unit)},
          {"cgroup", known(process.cgroup.path)}};
}

OrderedJson bpf_map_json(const std::optional<FindingBpfMap> &map) {
  if (!map)
    return nullptr;
  return {{"id", map->id},
          {"name", known(map->name)},
          {"method", known(map->method)},
          {"key_file", known(map->key_file)}};
}

OrderedJson notice_json(const AlertNotice &notice) {
  const Finding &finding = notice.alert.finding;
  OrderedJson numbers = OrderedJson::object();
  for (const auto &[name, value] : finding.numbers)
    numbers[name] = std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
  OrderedJson resolved = nullptr;
  if (!finding.is_firing)
    resolved = rfc3339(notice.alert.resolved_wall_ns);
  return {{"fingerprint", finding.fingerprint},
          {"state", finding.is_firing ? "firing" : "resolved"},
          {"is_update", notice.is_update},
          {"rule", finding.rule},
          {"kind", finding.kind},
          {"severity", kSeverityNames[static_cast<std::size_t>(finding.severity)]},
          {"host", notice.alert.host},
          {"labels", notice.labels},
          {"process", process_json(finding)},
          {"bpf_map", bpf_map_json(finding.bpf_map)},
          {"type", known(finding.type)},
          {"owner", known(finding.owner)},
          {"site", known(finding.site)},
          {"maps", finding.maps},
          {"numbers", std::move(numbers)},
          {"summary", finding.summary},
          {"cause", known(finding.cause)},
          {"fix", known(finding.fix)},
          {"resolution", known(finding.resolution)},
          {"since", rfc3339(notice.alert.since_wall_ns)},
          {"updated", rfc3339(notice.alert.updated_wall_ns)},
          {"resolved", std::move(resolved)}};
}

// Absent and null are both "not known".
std::string optional_text(const Json &object, const char *key) {
  auto found = object.find(key);
  return found == object.end() || found->is_null() ? "" : found->get<std::string>();
}

// A whole number that fits: the library makes any other one of what does not.
template <std::unsigned_integral T> T number_at(const Json &object, const char *key) {
  const auto *number = object.at(key).get_ptr<const Json::number_unsigned_t *>();
  if (number == nullptr || !std::in_range<T>(*number))
    throw std::out_of_range{fmt::format("\"{}\" is no number that can be there", key)};
  return static_cast<T>(*number);
}

Severity parse_severity(const std::string &name) {
  auto found = std::ranges::find(kSeverityNames, name);
  return found == kSeverityNames.end() ? Severity::warning
                                       : static_cast<Severity>(found - kSeverityNames.begin());
}

ProcessIdentity parse_process(const Json &json) {
  return {.key = {.pid = number_at<std::uint32_t>(json, "pid"),
                  .start_time_ns = number_at<std::uint64_t>(json, "start_time_ns")},
          .exe = json.at("exe").get<std::string>(),
          .command_line = json.at("command_line").get<std::string>(),
          .uid = number_at<std::uint32_t>(json, "uid"),
          .user = optional_text(json, "user"),
          .cgroup = {.path = optional_text(json, "cgroup"),
                     .container_id = optional_text(json, "container_id"),
                     .pod_uid = optional_text(json, "pod_uid"),
                     .unit = optional_text(json, "unit")}};
}

std::optional<FindingBpfMap> parse_bpf_map(const Json &json) {
  const auto found = json.find("bpf_map");
  if (found == json.end() || found->is_null())
    return std::nullopt;
  return FindingBpfMap{.id = number_at<std::uint32_t>(*found, "id"),
                       .name = optional_text(*found, "name"),
                       .method = optional_text(*found, "method"),
                       .key_file = optional_text(*found, "key_file")};
}

AlertNotice parse(const Json &json) {
  AlertNotice notice;
  Finding &finding = notice.alert.finding;
  finding.fingerprint = json.at("fingerprint").get<std::string>();
  finding.is_firing = json.at("state").get<std::string>() == "firing";
  finding.rule = json.at("rule").get<std::string>();
  finding.kind = json.at("kind").get<std::string>();
  finding.severity = parse_severity(json.at("severity").get<std::string>());
  finding.bpf_map = parse_bpf_map(json);
  if (!finding.bpf_map)
    finding.process = parse_process(json.at("process"));
  finding.type = optional_text(json, "type");
  finding.owner = optional_text(json, "owner");
  finding.site = optional_text(json, "site");
  finding.maps = number_at<std::uint64_t>(json, "maps");
  for (const auto &[name, value] : json.at("numbers").items())
    if (value.is_number())
      finding.numbers[name] = value.get<double>();
  finding.summary = json.at("summary").get<std::string>();
  finding.cause = optional_text(json, "cause");
  finding.fix = optional_text(json, "fix");
  finding.resolution = optional_text(json, "resolution");
  notice.is_update = json.at("is_update").get<bool>();
  notice.labels = json.at("labels").get<std::map<std::string, std::string>>();
  notice.alert.host = json.at("host").get<std::string>();
  const Json &stored = json.at("stored");
  finding.labels = stored.at("rule_labels").get<std::map<std::string, std::string>>();
  finding.since_ns = number_at<std::uint64_t>(stored, "since_ns");
  finding.time_ns = number_at<std::uint64_t>(stored, "time_ns");
  notice.alert.since_wall_ns = number_at<std::uint64_t>(stored, "since_wall_ns");
  notice.alert.updated_wall_ns = number_at<std::uint64_t>(stored, "updated_wall_ns");
  notice.alert.resolved_wall_ns = number_at<std::uint64_t>(stored, "resolved_wall_ns");
  notice.alert.is_silenced = stored.at("is_silenced").get<bool>();
  return notice;
}

std::string number_text(std::string_view name, double value) {
  if (!std::isfinite(value))
    return "unknown";
  if (name.contains("bytes") && value >= 0 && value < 1e18)
    return format_bytes(static_cast<std::uint64_t>(value));
  if (value == std::floor(value) && value >= 0 && value < 1e15)
    return format_count(static_cast<std::uint64_t>(value));
  return fmt::format("{:.4g}", value);
}

} // namespace

std::map<std::string, std::string>
alert_labels(const Finding &finding, std::string_view host,
             const std::map<std::string, std::string> &configured) {
  std::map<std::string, std::string> labels;
  auto set = [&labels](std::string_view name, std::string_view value) {
    if (!name.empty() && !value.empty())
      labels[label_name(name)] = label_value(value);
  };
  for (const auto &[name, value] : configured)
    set(name, value);
  set("severity", kSeverityNames[static_cast<std::size_t>(finding.severity)]);
  for (const auto &[name, value] : finding.labels)
    set(name, value); // a rule may have words of its own for its severity
  const ProcessIdentity &process = finding.process;
  set("alertname", finding.rule);
  set("kind", finding.kind);
  set("host", host);
  if (finding.bpf_map) {
    set("bpf_map", finding.bpf_map->name);
    set("bpf_map_id", std::to_string(finding.bpf_map->id));
  } else {
    set("process", base_name(process.exe));
    set("pid", std::to_string(process.key.pid));
  }
  set("container", process.cgroup.container_id);
  set("pod", process.cgroup.pod_uid);
  set("unit", process.cgroup.unit);
  set("type", finding.type);
  set("owner", finding.owner);
  set("site", finding.site);
  set("fingerprint", finding.fingerprint);
  return labels;
}

std::string stored_text(const AlertNotice &notice) {
  OrderedJson json = notice_json(notice);
  json["stored"] = {{"rule_labels", notice.alert.finding.labels},
                    {"since_ns", notice.alert.finding.since_ns},
                    {"time_ns", notice.alert.finding.time_ns},
                    {"since_wall_ns", notice.alert.since_wall_ns},
                    {"updated_wall_ns", notice.alert.updated_wall_ns},
                    {"resolved_wall_ns", notice.alert.resolved_wall_ns},
                    {"is_silenced", notice.alert.is_silenced}};
  return text_of(json);
}

Result<AlertNotice> parse_notice(std::string_view text) {
  try {
    return parse(Json::parse(text));
  } catch (const std::exception &failure) {
    return fail(Errc::malformed, "a stored alert can't be read: {}", failure.what());
  }
}

std::string alerts_document(std::string_view host, std::span<const AlertNotice> notices) {
  OrderedJson alerts = OrderedJson::array();
  for (const AlertNotice &notice : notices)
    alerts.push_back(notice_json(notice));
  return text_of(OrderedJson{
      {"schema", "mapscope.alerts/1"}, {"host", std::string(host)}, {"alerts", std::move(alerts)}});
}

std::string alertmanager_body(std::span<const AlertNotice> notices, std::uint64_t now_wall_ns,
                              std::uint64_t firing_end_ns) {
  OrderedJson body = OrderedJson::array();
  for (const AlertNotice &notice : notices) {
    const Finding &finding = notice.alert.finding;
    OrderedJson annotations = {{"summary", finding.summary}};
    auto annotate = [&annotations](const char *name, const std::string &text) {
      if (!text.empty())
        annotations[name] = text;
    };
    if (!finding.bpf_map)
      annotate("description", fmt::format("{} (pid {}): {}", finding.process.exe,
                                          finding.process.key.pid, finding.summary));
    annotate("command_line", finding.process.command_line);
    annotate("numbers", numbers_text(finding.numbers));
    annotate("cause", finding.cause);
    annotate("fix", finding.fix);
    annotate("resolution", finding.resolution);
    // A wall clock that was set back must not make the end of one that is over a time to come, nor
    // put an end before its start: that would be refused.
    const std::uint64_t end =
        finding.is_firing ? firing_end_ns : std::min(notice.alert.resolved_wall_ns, now_wall_ns);
    body.push_back({{"labels", notice.labels},
                    {"annotations", std::move(annotations)},
                    {"startsAt", rfc3339(std::min(notice.alert.since_wall_ns, end))},
                    {"endsAt", rfc3339(end)}});
  }
  return text_of(body);
}

std::string rfc3339(std::uint64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / kSecondNs);
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", time.tm_year + 1900,
                     time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec,
                     wall_ns % kSecondNs);
}

std::string numbers_text(const std::map<std::string, double> &numbers) {
  std::string text;
  for (const auto &[name, value] : numbers)
    fmt::format_to(std::back_inserter(text), "{}{} {}", text.empty() ? "" : ", ", name,
                   number_text(name, value));
  return text;
}

} // namespace mapscope
