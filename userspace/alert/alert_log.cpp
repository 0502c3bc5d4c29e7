// One line for each finding; see alert_log.h.
#include "alert/alert_log.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/spdlog.h>
#include <sys/uio.h>
#include <syslog.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/printable.h"

namespace mapscope {

namespace {

std::string where(const Finding &finding) {
  if (finding.bpf_map)
    return fmt::format("BPF map {}", finding.bpf_map->id);
  const ProcessIdentity &process = finding.process;
  std::string text = fmt::format("process {} (pid {}", process.exe, process.key.pid);
  const CgroupIdentity &cgroup = process.cgroup;
  if (!cgroup.unit.empty())
    text += ", unit " + cgroup.unit;
  if (!cgroup.pod_uid.empty())
    text += ", pod " + cgroup.pod_uid;
  if (!cgroup.container_id.empty())
    text += ", container " + cgroup.container_id.substr(0, 12);
  return text + ")";
}

std::string line_of(const BookEntry &entry) {
  const Alert &alert = entry.alert->notice.alert;
  const Finding &finding = alert.finding;
  std::string text = fmt::format("{} {}: {}; {}", finding.rule,
                                 !finding.is_firing                     ? "is over"
                                 : entry.change == AlertChange::changed ? "goes on"
                                                                        : "fires",
                                 finding.summary, where(finding));
  auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty())
      fmt::format_to(std::back_inserter(text), "; {} {}", name, value);
  };
  add("type", finding.type);
  add("owner", finding.owner);
  add("site", finding.site);
  add("numbers:", numbers_text(finding.numbers));
  add("since", rfc3339(alert.since_wall_ns));
  add("resolution:", finding.resolution);
  add("cause:", finding.cause);
  add("fix:", finding.fix);
  if (finding.is_firing && !entry.is_to_tell)
    add("not told:", alert.is_silenced ? "a silence covers it" : "its rule has had too many");
  return printable(text);
}

spdlog::level::level_enum level_of(const BookEntry &entry) {
  const Finding &finding = entry.alert->notice.alert.finding;
  if (finding.is_firing && !entry.is_to_tell)
    return spdlog::level::debug; // what nobody wants to hear, or has heard too often
  if (!finding.is_firing || entry.change == AlertChange::changed)
    return entry.is_to_tell ? spdlog::level::info : spdlog::level::debug;
  switch (finding.severity) {
  case Severity::critical:
    return spdlog::level::err;
  case Severity::warning:
    return spdlog::level::warn;
  case Severity::info:
    break;
  }
  return spdlog::level::info;
}

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
  case spdlog::level::err:
    return LOG_ERR;
  case spdlog::level::warn:
    return LOG_WARNING;
  case spdlog::level::info:
    return LOG_INFO;
  default:
    return LOG_DEBUG;
  }
}

bool send_to_journal(const BookEntry &entry, const std::string &line, int priority) {
  const Finding &finding = entry.alert->notice.alert.finding;
  std::vector<std::string> fields = {"MESSAGE=" + line, fmt::format("PRIORITY={}", priority),
                                     "SYSLOG_IDENTIFIER=mapscope"};
  auto add = [&fields](std::string_view name, std::string_view value) {
    if (!value.empty())
      fields.push_back(fmt::format("MAPSCOPE_{}={}", name, printable(value)));
  };
  add("STATE", finding.is_firing ? "firing" : "resolved");
  add("FINGERPRINT", finding.fingerprint);
  add("RULE", finding.rule);
  add("KIND", finding.kind);
  add("SEVERITY", kSeverityNames[static_cast<std::size_t>(finding.severity)]);
  if (finding.bpf_map) {
    add("BPF_MAP", finding.bpf_map->name);
    add("BPF_MAP_ID", std::to_string(finding.bpf_map->id));
    add("KEY_FILE", finding.bpf_map->key_file);
  } else {
    add("PID", std::to_string(finding.process.key.pid));
  }
  add("EXE", finding.process.exe);
  add("UNIT", finding.process.cgroup.unit);
  add("CONTAINER", finding.process.cgroup.container_id);
  add("POD", finding.process.cgroup.pod_uid);
  add("TYPE", finding.type);
  add("OWNER", finding.owner);
  add("SITE", finding.site);
  add("CAUSE", finding.cause);
  add("FIX", finding.fix);
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  for (std::string &field : fields)
    parts.push_back({.iov_base = field.data(), .iov_len = field.size()});
  return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
}

} // namespace

void log_alert(const BookEntry &entry, bool to_journal) {
  if (entry.alert == nullptr)
    return;
  if (entry.is_first_limited)
    spdlog::warn("Rule {} has more new alerts within an hour than alerts.per_rule_per_hour allows: "
                 "further ones are kept and listed, but told to nobody.",
                 entry.alert->notice.alert.finding.rule);
  const spdlog::level::level_enum level = level_of(entry);
  if (!spdlog::should_log(level))
    return;
  const std::string line = line_of(entry);
  if (!to_journal || !send_to_journal(entry, line, priority_of(level)))
    spdlog::log(level, "{}", line);
}

} // namespace mapscope
