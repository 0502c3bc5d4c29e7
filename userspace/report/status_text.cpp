// Another program's answers are read here, if most likely our own's: every key may be missing or of
// another type, and no text is printed as it came.
#include "report/status_text.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/printable.h"
#include "report/maps_words.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kRowsMax = 50; // of processes; --json has all

// The member of that path ("census/totals/bytes"); null where there is none.
const Json &at(const Json &document, std::string_view path) {
  static const Json kNothing;
  const Json *value = &document;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const auto found = value->is_object() ? value->find(path.substr(0, end)) : value->end();
    if (!value->is_object() || found == value->end())
      return kNothing;
    value = &*found;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return *value;
}

std::string text_at(const Json &document, std::string_view path) {
  const Json &value = at(document, path);
  return value.is_string() ? printable(value.get_ref<const std::string &>()) : std::string{};
}

std::uint64_t count_at(const Json &document, std::string_view path) {
  const Json &value = at(document, path);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

bool is_at(const Json &document, std::string_view path) {
  const Json &value = at(document, path);
  return value.is_boolean() && value.get<bool>();
}

// "12 s"; "-" where it is not known.
std::string seconds_at(const Json &document, std::string_view path) {
  const Json &value = at(document, path);
  const double seconds = value.is_number() ? value.get<double>() : -1;
  if (!(seconds >= 0 && seconds < 1e9))
    return "-";
  return format_duration(static_cast<std::uint64_t>(seconds) * 1'000'000'000);
}

Result<Json> parse(const std::string &text, std::string_view schema) {
  Json document = Json::parse(text, nullptr, false);
  if (text_at(document, "schema") != schema)
    return fail(
        Errc::malformed,
        "the daemon's answer is no document {}: is it of another version than this program?",
        schema);
  return document;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string state_of(const Json &status, bool colour) {
  const std::string problem = text_at(status, "health");
  if (!problem.empty())
    return coloured("not well: " + problem, Colour::red, colour);
  return is_at(status, "ready") ? coloured("well", Colour::green, colour)
                                : coloured("still at its first scan", Colour::yellow, colour);
}

// "1 process", "2 processes": of words that end in s.
std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "es");
}

void add_head(const Json &status, bool colour, std::string &out) {
  fmt::format_to(std::back_inserter(out), "mapscope {}, up for {}: {}\n",
                 text_at(status, "version"), seconds_at(status, "up_seconds"),
                 state_of(status, colour));
  const auto cpu = at(status, "self/cpu_seconds");
  fmt::format_to(std::back_inserter(out),
                 "It watches {}; waiting for a first census: {}; can't be looked at: {}.\n",
                 counted(count_at(status, "processes/watched"), "process"),
                 count_at(status, "processes/waiting"), count_at(status, "processes/refused"));
  fmt::format_to(std::back_inserter(out), "It uses {} and has used {:.1f} s of CPU, for {}.\n",
                 format_bytes(count_at(status, "self/resident_bytes")),
                 cpu.is_number() ? cpu.get<double>() : 0.0,
                 counted(count_at(status, "censuses/count"), "census"));
}

// --- processes ---

struct Row {
  std::string pid, name, go, maps, bytes, reclaimable, age, next;
};

Row row_of(const Json &process) {
  Row row{.pid = fmt::format("{}", count_at(process, "pid")),
          .name = cut_to(base_name(text_at(process, "exe")), 24),
          .go = text_at(process, "go_version"),
          .next = seconds_at(process, "interval_seconds")};
  if (row.go.starts_with("go"))
    row.go.erase(0, 2);
  if (at(process, "census").is_object()) {
    row.maps = format_count(count_at(process, "census/totals/maps"));
    row.bytes = format_bytes(count_at(process, "census/totals/bytes"));
    if (at(process, "census/totals/reclaimable_bytes").is_null())
      row.reclaimable = "-";
    else
      row.reclaimable = format_bytes(count_at(process, "census/totals/reclaimable_bytes"));
    row.age = seconds_at(process, "census/age_seconds");
  }
  return row;
}

void add_processes(const Json &processes, bool colour, std::string &out) {
  const Json &rows = at(processes, "processes");
  if (!rows.is_array() || rows.empty())
    return;
  constexpr auto kLine = "{:>8}  {:<24}  {:<9}  {:>11}  {:>10}  {:>11}  {:>10}  {:>10}";
  auto end = std::back_inserter(out);
  out += '\n';
  out += coloured(fmt::format(kLine, "PID", "PROCESS", "GO", "MAPS", "BYTES", "RECLAIMABLE",
                              "LOOKED AT", "EVERY"),
                  Colour::bold, colour);
  out += '\n';
  std::size_t shown = 0;
  for (const Json &process : rows) {
    if (shown++ == kRowsMax)
      break;
    const Row row = row_of(process);
    fmt::format_to(end, fmt::runtime(kLine), row.pid, row.name, row.go, row.maps, row.bytes,
                   row.reclaimable, row.age, row.next);
    out += '\n';
    if (const std::string problem = text_at(process, "problem"); !problem.empty())
      out += coloured("          " + problem, Colour::yellow, colour) + "\n";
  }
  const std::uint64_t more =
      rows.size() - std::min(rows.size(), kRowsMax) + count_at(processes, "not_shown");
  if (more != 0)
    fmt::format_to(end, "          and {} more; --json has all\n", more);
}

// --- findings ---

Colour colour_of(const Json &finding) {
  const std::string severity = text_at(finding, "severity");
  return severity == "critical" ? Colour::red : severity == "info" ? Colour::dim : Colour::yellow;
}

std::string whom_it_is_about(const Json &finding) {
  if (at(finding, "bpf_map").is_object())
    return fmt::format("{} (BPF map {})", text_at(finding, "bpf_map/name"),
                       count_at(finding, "bpf_map/id"));
  return fmt::format("{} (process {})", base_name(text_at(finding, "process/exe")),
                     count_at(finding, "process/pid"));
}

void add_finding(const Json &finding, StatusTextOptions options, std::string &out) {
  constexpr std::size_t kIndent = 4;
  const bool is_firing = text_at(finding, "state") == "firing";
  auto end = std::back_inserter(out);
  fmt::format_to(end, "{}  {}: {}{}\n",
                 coloured(text_at(finding, "severity"), colour_of(finding), options.colour),
                 text_at(finding, "rule"), whom_it_is_about(finding),
                 is_at(finding, "silenced") ? ", silenced" : "");
  const auto add = [&](const std::string &text) {
    if (!text.empty())
      fmt::format_to(end, "    {}\n", wrapped(text, kIndent, kIndent));
  };
  add(text_at(finding, "summary"));
  if (options.all_findings) {
    add(text_at(finding, "cause"));
    add(text_at(finding, "fix"));
  }
  add(is_firing
          ? "since " + text_at(finding, "since")
          : "over since " + text_at(finding, "resolved") + ". " + text_at(finding, "resolution"));
}

void add_findings(const Json &findings, StatusTextOptions options, std::string &out) {
  const Json &rows = at(findings, "findings");
  const auto is_firing = [](const Json &it) { return text_at(it, "state") == "firing"; };
  const auto firing = rows.is_array() ? std::ranges::count_if(rows, is_firing) : 0;
  out += firing == 0   ? "\nNothing fires.\n"
         : firing == 1 ? "\nOne finding fires:\n"
                       : fmt::format("\n{} findings fire:\n",
                                     format_count(static_cast<std::uint64_t>(firing)));
  if (!rows.is_array())
    return;
  for (const Json &finding : rows)
    if (options.all_findings || is_firing(finding))
      add_finding(finding, options, out);
}

// --- what is not as it should be ---

std::vector<std::string> troubles(const Json &status) {
  std::vector<std::string> result;
  if (const Json &problems = at(status, "problems"); problems.is_array())
    for (const Json &problem : problems)
      if (problem.is_string())
        result.push_back(printable(problem.get_ref<const std::string &>()));
  if (is_at(status, "config/reload_failed"))
    result.push_back("the last reload of the configuration failed: " +
                     text_at(status, "config/problem"));
  if (is_at(status, "throttled"))
    result.emplace_back(
        "it looks less often than it should: its limits of CPU or memory are reached");
  if (const Json &sinks = at(status, "alerts/sinks"); sinks.is_array())
    for (const Json &sink : sinks)
      if (const std::string error = text_at(sink, "last_error"); !error.empty())
        result.push_back(fmt::format("{} alerts wait for {}: {}", count_at(sink, "pending"),
                                     text_at(sink, "name"), error));
  if (const Json &lost = at(status, "lost"); lost.is_object())
    for (const auto &[name, count] : lost.items())
      if (count.is_number_unsigned() && count != 0)
        result.push_back(
            fmt::format("lost: {} {}", format_count(count.get<std::uint64_t>()), printable(name)));
  return result;
}

} // namespace

Result<std::uint64_t> firing_findings(const std::string &status) {
  return count_at(TRY(parse(status, "mapscope.status/1")), "findings/firing");
}

Result<std::string> status_text(const StatusDocuments &documents, StatusTextOptions options) {
  const Json status = TRY(parse(documents.status, "mapscope.status/1"));
  const Json processes = TRY(parse(documents.processes, "mapscope.processes/1"));
  const Json findings = TRY(parse(documents.findings, "mapscope.findings/1"));
  std::string out;
  add_head(status, options.colour, out);
  for (const std::string &trouble : troubles(status))
    out += coloured("  ! " + trouble, Colour::yellow, options.colour) + "\n";
  add_processes(processes, options.colour, out);
  add_findings(findings, options, out);
  return out;
}

} // namespace mapscope
