// What `go vet -json` prints: of Go 1.26 with mapscope-vet, and what no tool should print.
#include <string>

#include <gtest/gtest.h>

#include "vet/go_vet_output.h"

namespace mapscope {
namespace {

VetReport report_of(const std::string &text, const VetOptions &options = {}) {
  VetReport report;
  read_go_vet_output(text, "/src/app", options, report);
  return report;
}

const std::string kOutput = R"(# example.com/app/store
# [example.com/app/store]
{
	"example.com/app/store": {
		"bpfmaplimit": [
			{
				"category": "go-bpf-no-limit",
				"posn": "/src/app/store/store.go:12:9",
				"message": "MapSpec without MaxEntries: {hash}"
			}
		],
		"mapinloop": [
			{
				"category": "go-map-in-loop",
				"posn": "/elsewhere/b.go:3:4",
				"message": "made \"anew\"",
				"suggested_fixes": [{"message": "Hoist it", "edits": []}]
			}
		]
	}
}
# example.com/app
{}
)";

TEST(GoVetOutputTest, ReadsFindings) {
  const VetReport report = report_of(kOutput);
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_TRUE(report.problems.empty());
  const VetFinding &first = report.findings[0];
  EXPECT_EQ(first.rule, "go-bpf-no-limit");
  EXPECT_EQ(first.level, VetLevel::warning);
  EXPECT_EQ(first.file, "store/store.go");
  EXPECT_EQ(first.line, 12u);
  EXPECT_EQ(first.column, 9u);
  EXPECT_EQ(first.message, "MapSpec without MaxEntries: {hash}");
  EXPECT_EQ(report.findings[1].level, VetLevel::note);
  EXPECT_EQ(report.findings[1].file, "/elsewhere/b.go");
  EXPECT_EQ(report.findings[1].fix, "Hoist it");
}

TEST(GoVetOutputTest, LeavesOutWhatIsDisabled) {
  EXPECT_EQ(report_of(kOutput, {.disabled = {"go-map-in-loop"}}).findings.size(), 1u);
}

TEST(GoVetOutputTest, WhatCouldNotBeJudgedIsAProblem) {
  const VetReport report =
      report_of(R"({"p": {"bpfmaplimit": {"error": "type checking failed"}}})");
  EXPECT_TRUE(report.findings.empty());
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_NE(report.problems[0].message.find("type checking failed"), std::string::npos);

  const VetReport build = report_of("# p\nvet: ./a.go:3:2: undefined: x\n");
  ASSERT_EQ(build.problems.size(), 1u);
  EXPECT_NE(build.problems[0].message.find("undefined: x"), std::string::npos);
}

TEST(GoVetOutputTest, NonsenseIsAProblem) {
  for (const char *text : {"{", "{\"p\": [", "{\"p\"}", "}{", "{\"a\":\"\\\"}", "\"{"})
    EXPECT_FALSE(report_of(text).problems.empty()) << text;
  // Other shapes than those that are known.
  for (const char *text : {"{\"p\": 1}", "{\"p\": {\"a\": [1, null, {}]}}", "{}", "{\"p\": []}"})
    EXPECT_TRUE(report_of(text).problems.empty()) << text;
}

TEST(GoVetOutputTest, PlacesWithoutNumbersStayWhole) {
  for (const char *place : {"-", "", "a.go", "a.go:x", "a.go:1:2:3"}) {
    const VetReport report = report_of("{\"p\": {\"a\": [{\"posn\": \"" + std::string{place} +
                                       "\", \"message\": \"m\"}]}}");
    ASSERT_EQ(report.findings.size(), 1u);
  }
}

} // namespace
} // namespace mapscope
