// The documents: JSON, and SARIF as the standard asks for it.
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vet/vet_report.h"

namespace mapscope {
namespace {

VetReport sample() {
  return {.findings = {{.rule = "go-map-no-hint",
                        .level = VetLevel::warning,
                        .file = "b c.go",
                        .line = 7,
                        .column = 2,
                        .message = "no hint",
                        .fix = "Add one."},
                       {.rule = "bpf-huge",
                        .level = VetLevel::error,
                        .file = "/abs/a.bpf.o",
                        .subject = "table",
                        .message = "map table: 2 GiB"}},
          .problems = {{"broken.o", "not an ELF file"}},
          .objects = 1,
          .maps = 2,
          .go_runs = 1};
}

TEST(VetReportTest, OrdersFindingsAndDropsDoubles) {
  VetReport report = sample();
  report.findings.push_back(report.findings[0]);
  order_findings(report);
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].file, "/abs/a.bpf.o");
}

TEST(VetReportTest, JsonHasNullForWhatIsNotKnown) {
  const auto document = nlohmann::json::parse(vet_json(sample()));
  EXPECT_EQ(document["schema"], "mapscope.vet/1");
  EXPECT_EQ(document["looked_at"]["maps"], 2);
  EXPECT_EQ(document["counts"], (nlohmann::json{{"note", 0}, {"warning", 1}, {"error", 1}}));
  EXPECT_EQ(document["findings"][0]["line"], 7);
  EXPECT_TRUE(document["findings"][0]["map"].is_null());
  EXPECT_EQ(document["findings"][1]["map"], "table");
  EXPECT_TRUE(document["findings"][1]["line"].is_null());
  EXPECT_TRUE(document["findings"][1]["fix"].is_null());
  EXPECT_EQ(document["problems"][0]["file"], "broken.o");
}

TEST(VetReportTest, SarifNamesEveryRuleThatItUses) {
  const auto document = nlohmann::json::parse(vet_sarif(sample(), "/src dir"));
  EXPECT_EQ(document["version"], "2.1.0");
  const auto &run = document["runs"].at(0);
  const auto &rules = run["tool"]["driver"]["rules"];
  std::set<std::string> fingerprints;
  for (const auto &result : run["results"]) {
    EXPECT_EQ(rules.at(result["ruleIndex"].get<std::size_t>())["id"], result["ruleId"]);
    EXPECT_FALSE(result["message"]["text"].get<std::string>().empty());
    fingerprints.insert(result["partialFingerprints"]["mapscopeVet/v1"]);
  }
  EXPECT_EQ(fingerprints.size(), 2u);
  const auto &place = run["results"][0]["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "b%20c.go");
  EXPECT_EQ(place["artifactLocation"]["uriBaseId"], "SRCROOT");
  EXPECT_EQ(place["region"]["startLine"], 7);
  const auto &other = run["results"][1]["locations"][0];
  EXPECT_EQ(other["physicalLocation"]["artifactLocation"]["uri"], "file:///abs/a.bpf.o");
  EXPECT_FALSE(other["physicalLocation"].contains("region"));
  EXPECT_EQ(other["logicalLocations"][0]["name"], "table");
  EXPECT_EQ(run["originalUriBaseIds"]["SRCROOT"]["uri"], "file:///src%20dir/");
  EXPECT_FALSE(run["invocations"][0]["executionSuccessful"]);
}

TEST(VetReportTest, AFingerprintStaysWhenLinesAndFiguresMove) {
  auto fingerprint = [](const VetReport &report, int index) {
    const auto document = nlohmann::json::parse(vet_sarif(report, "/"));
    return document["runs"][0]["results"][index]["partialFingerprints"]["mapscopeVet/v1"];
  };
  VetReport moved = sample();
  moved.findings[0].line = 70;
  moved.findings[1].message = "map table: 3 GiB";
  EXPECT_EQ(fingerprint(sample(), 0), fingerprint(moved, 0));
  EXPECT_EQ(fingerprint(sample(), 1), fingerprint(moved, 1));
  moved.findings[1].subject = "other";
  EXPECT_NE(fingerprint(sample(), 1), fingerprint(moved, 1));
}

} // namespace
} // namespace mapscope
