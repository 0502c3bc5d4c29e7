// Order of findings, and the JSON document; see vet_report.h.
#include "vet/vet_report.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <nlohmann/json.hpp>

namespace mapscope {
namespace {

using nlohmann::ordered_json;

auto key_of(const VetFinding &finding) {
  return std::tie(finding.file, finding.line, finding.column, finding.subject, finding.rule,
                  finding.message);
}

template <typename T> ordered_json or_null(const T &value) {
  return value == T{} ? ordered_json() : ordered_json(value);
}

} // namespace

void order_findings(VetReport &report) {
  std::ranges::stable_sort(report.findings, {}, key_of);
  const auto twice = std::ranges::unique(report.findings, {}, key_of);
  report.findings.erase(twice.begin(), twice.end());
}

std::string vet_json(const VetReport &report) {
  ordered_json document = {{"schema", "mapscope.vet/1"}};
  document["looked_at"] = {{"objects", report.objects},
                           {"maps", report.maps},
                           {"big_endian_left_out", report.big_endian},
                           {"go_runs", report.go_runs}};
  std::array<std::uint64_t, kVetLevelNames.size()> counts{};
  document["findings"] = ordered_json::array();
  for (const VetFinding &finding : report.findings) {
    const auto level = static_cast<std::size_t>(finding.level);
    ++counts[level];
    document["findings"].push_back({{"rule", finding.rule},
                                    {"level", kVetLevelNames[level]},
                                    {"file", finding.file},
                                    {"line", or_null(finding.line)},
                                    {"column", or_null(finding.column)},
                                    {"map", or_null(finding.subject)},
                                    {"message", finding.message},
                                    {"fix", or_null(finding.fix)}});
  }
  for (std::size_t level = counts.size(); level-- != 0;)
    document["counts"][std::string{kVetLevelNames[level]}] = counts[level];
  document["problems"] = ordered_json::array();
  for (const VetProblem &problem : report.problems)
    document["problems"].push_back({{"file", or_null(problem.file)}, {"message", problem.message}});
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace mapscope
