// SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "vet/vet_report.h"
#include "vet/vet_rules.h"

namespace mapscope {
namespace {

using nlohmann::ordered_json;

constexpr auto kBase = "SRCROOT";

// RFC 3986: all but unreserved characters and '/' as %XX.
std::string uri_path(std::string_view path) {
  std::string out;
  for (const char character : path) {
    const bool plain = (character >= 'a' && character <= 'z') ||
                       (character >= 'A' && character <= 'Z') ||
                       (character >= '0' && character <= '9') ||
                       std::string_view{"-._~/"}.find(character) != std::string_view::npos;
    if (plain)
      out += character;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(character));
  }
  return out;
}

ordered_json artifact(const std::string &file) {
  if (file.starts_with('/'))
    return {{"uri", "file://" + uri_path(file)}};
  return {{"uri", uri_path(file)}, {"uriBaseId", kBase}};
}

ordered_json location(const VetFinding &finding) {
  ordered_json place = {{"physicalLocation", {{"artifactLocation", artifact(finding.file)}}}};
  if (finding.line != 0) {
    place["physicalLocation"]["region"] = {{"startLine", finding.line}};
    if (finding.column != 0)
      place["physicalLocation"]["region"]["startColumn"] = finding.column;
  }
  if (!finding.subject.empty())
    place["logicalLocations"] = {{{"name", printable(finding.subject)}, {"kind", "variable"}}};
  return place;
}

// FNV-1a, of what stays the same when lines move: a service that compares two runs knows by it
// which finding is new.
std::uint64_t fingerprint_of(const VetFinding &finding) {
  std::uint64_t hash = 0xcbf29ce484222325;
  auto add = [&](std::string_view text) {
    for (const char character : text)
      hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    hash *= 0x100000001b3; // an end, so that "a", "bc" and "ab", "c" differ
  };
  add(finding.rule);
  add(finding.file);
  // Messages about an object have figures in them, which may change; its maps have names.
  add(finding.subject.empty() ? finding.message : finding.subject);
  return hash;
}

ordered_json rule_json(const VetRule &rule) {
  return {
      {"id", rule.id},
      {"shortDescription", {{"text", rule.summary}}},
      {"fullDescription", {{"text", rule.why}}},
      {"help", {{"text", fmt::format("{} See docs/vet.md of mapscope.", rule.why)}}},
      {"defaultConfiguration", {{"level", kVetLevelNames[static_cast<std::size_t>(rule.level)]}}}};
}

std::string text_of(const VetFinding &finding) {
  return printable(finding.fix.empty() ? finding.message
                                       : fmt::format("{}. {}", finding.message, finding.fix));
}

} // namespace

std::string vet_sarif(const VetReport &report, const std::string &directory) {
  ordered_json rules = ordered_json::array();
  for (const VetRule &rule : vet_rules())
    rules.push_back(rule_json(rule));
  ordered_json results = ordered_json::array();
  std::map<std::uint64_t, unsigned> alike; // several of one kind in one file
  for (const VetFinding &finding : report.findings) {
    const std::uint64_t fingerprint = fingerprint_of(finding);
    ordered_json result = {
        {"ruleId", finding.rule},
        {"level", kVetLevelNames[static_cast<std::size_t>(finding.level)]},
        {"message", {{"text", text_of(finding)}}},
        {"locations", {location(finding)}},
        {"partialFingerprints",
         {{"mapscopeVet/v1", fmt::format("{:016x}:{}", fingerprint, ++alike[fingerprint])}}}};
    if (const VetRule *rule = find_vet_rule(finding.rule); rule != nullptr)
      result["ruleIndex"] = rule - vet_rules().data();
    results.push_back(std::move(result));
  }
  ordered_json notifications = ordered_json::array();
  for (const VetProblem &problem : report.problems) {
    ordered_json notification = {{"level", "error"},
                                 {"message", {{"text", printable(problem.message)}}}};
    if (!problem.file.empty())
      notification["locations"] = {
          {{"physicalLocation", {{"artifactLocation", artifact(problem.file)}}}}};
    notifications.push_back(std::move(notification));
  }
  const ordered_json driver = {
      {"name", "mapscope"}, {"version", MAPSCOPE_VERSION}, {"rules", std::move(rules)}};
  const ordered_json run = {
      {"tool", {{"driver", driver}}},
      {"originalUriBaseIds", {{kBase, {{"uri", "file://" + uri_path(directory) + "/"}}}}},
      {"invocations",
       {{{"executionSuccessful", report.problems.empty()},
         {"toolExecutionNotifications", std::move(notifications)}}}},
      {"results", std::move(results)}};
  const ordered_json document = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                                 {"version", "2.1.0"},
                                 {"runs", {run}}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace mapscope
