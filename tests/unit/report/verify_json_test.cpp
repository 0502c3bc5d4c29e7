// The document of `verify --json`: every key of mapscope.verify/1, and null for what is not known.
#include "report/verify_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/report/verify_fixture.h"

namespace mapscope {
namespace {

using nlohmann::json;

json document_of(const Verdict &verdict) { return json::parse(verify_json(verdict)); }

TEST(VerifyJsonTest, HasTheKeysThatOthersBuildOn) {
  json document = document_of(clean_verdict());
  EXPECT_EQ(document["schema"], "mapscope.verify/1");
  EXPECT_EQ(document["verdict"], "clean");
  EXPECT_EQ(document["reasons"], json::array());
  EXPECT_EQ(document["target"], (json{{"pid", 100},
                                      {"exe", "/srv/app"},
                                      {"go_version", "go1.26.8"},
                                      {"map_implementation", "swiss"},
                                      {"build_id", "abcd"}}));
  EXPECT_EQ(document["duration_seconds"], 1.2);
  EXPECT_EQ(document["operations"]["created"], 10);
  EXPECT_EQ(document["operations"]["grown"], 31);
  EXPECT_EQ(document["operations"]["split"], 0);
  EXPECT_EQ(document["operations"]["cleared"], 0);
  EXPECT_EQ(document["heap"]["large_allocations"], 4);
  EXPECT_EQ(document["heap"]["large_allocation_bytes"], 7340032);
  EXPECT_EQ(document["heap"]["grown_bytes"], 8388608);
  EXPECT_EQ(document["system_calls"]["inside"]["file"], 0);
  EXPECT_EQ(document["system_calls"]["inside"]["memory"], 2);
  EXPECT_EQ(document["system_calls"]["inside"]["scheduling"], 1);
  EXPECT_EQ(document["system_calls"]["outside"]["file"], 57);
  EXPECT_EQ(document["system_calls"]["memory"]["mmap"],
            (json{{"calls", 21}, {"inside", 2}, {"bytes", 75497472}}));
  EXPECT_EQ(document["violations"], json::array());
  EXPECT_EQ(document["witnesses"]["both"], 2);
  EXPECT_EQ(document["witnesses"]["window_only"], 0);
  EXPECT_EQ(document["witnesses"]["stack_only"], 0);
  EXPECT_EQ(document["events"]["sent"], 100);
  EXPECT_EQ(document["events"]["lost"]["ring_full"], 0);
}

TEST(VerifyJsonTest, DescribesAViolation) {
  json document = document_of(violated_verdict());
  EXPECT_EQ(document["verdict"], "violated");
  EXPECT_EQ(document["file_calls_inside"], 39);
  ASSERT_EQ(document["violations"].size(), 1U);
  json violation = document["violations"][0];
  EXPECT_EQ(violation["time_ns"], 1000000);
  EXPECT_EQ(violation["count"], 39);
  EXPECT_EQ(violation["system_call"], "write");
  EXPECT_EQ(violation["arguments"][0], "0x2");
  EXPECT_EQ(violation["result"], 12);
  EXPECT_EQ(violation["path"], "/var/log/gc.log");
  EXPECT_EQ(violation["descriptor"], "file");
  EXPECT_EQ(violation["goroutine"], 1);
  EXPECT_EQ(violation["operation"], "growth");
  EXPECT_EQ(violation["site"],
            (json{{"function", "main.fill"}, {"file", "/src/main.go"}, {"line", 12}}));
  EXPECT_EQ(violation["witnesses"], (json{"window", "stack"}));
  EXPECT_EQ(violation["stack"].size(), 2U);
}

TEST(VerifyJsonTest, WhatIsNotKnownIsNull) {
  Verdict verdict = violated_verdict();
  AttributedCall &call = verdict.violations[0].first;
  call.goroutine.reset();
  call.path.reset();
  call.result.reset();
  call.operation.reset();
  call.site.reset();
  call.cause.reset();
  verdict.run.target.go_version.clear();
  verdict.run.target.build_id.clear();
  verdict.run.target.map_implementation = MapImplementation::none;
  verdict.run.scope.windows = false;
  verdict.operations.created.reset();
  verdict.heap_inside.grown_bytes.reset();
  verdict.witnesses.both.reset();
  verdict.witnesses.window_only.reset();
  json document = document_of(verdict);
  for (auto key : {"goroutine", "path", "result", "operation", "site", "cause"})
    EXPECT_TRUE(document["violations"][0].at(key).is_null()) << key;
  for (auto key : {"go_version", "build_id", "map_implementation"})
    EXPECT_TRUE(document["target"].at(key).is_null()) << key;
  EXPECT_TRUE(document["operations"].at("created").is_null());
  EXPECT_TRUE(document["heap"].at("grown_bytes").is_null());
  EXPECT_TRUE(document["witnesses"].at("both").is_null());
  EXPECT_TRUE(document["witnesses"].at("window_only").is_null());
  EXPECT_TRUE(document["system_calls"]["memory"]["mlockall"].at("bytes").is_null());
  EXPECT_TRUE(document["cost"].at("kernel_cpu_seconds").is_null());
  EXPECT_EQ(document["mode"], "light");
}

TEST(VerifyJsonTest, NamesEveryLoss) {
  Verdict verdict = inconclusive_verdict();
  verdict.counts.kernel.lost[LOSS_WINDOW_TABLE_FULL] = 6;
  verdict.counts.dropped[static_cast<std::size_t>(DropReason::queue_full)] = 7;
  json lost = document_of(verdict)["events"]["lost"];
  EXPECT_EQ(lost["ring_full"], 5);
  EXPECT_EQ(lost["window_table_full"], 6);
  EXPECT_EQ(lost["queue_full"], 7);
  EXPECT_EQ(lost.size(), 1U + LOSS_TARGET_TABLE_FULL + 1 + kDropReasonCount);
}

TEST(VerifyJsonTest, StaysValidWhateverAPathHolds) {
  Verdict verdict = violated_verdict();
  verdict.violations[0].first.path = "/tmp/\xff\xfe\"\n";
  EXPECT_EQ(document_of(verdict)["violations"][0]["path"], "/tmp/\uFFFD\uFFFD\"\n");
}

TEST(VerifyJsonTest, TheCommandsEndIsApartFromOurs) {
  Verdict verdict = clean_verdict();
  EXPECT_TRUE(document_of(verdict)["command"].is_null()); // it ran already
  verdict.run.command = CommandEnd{.exit_status = 5, .signal = {}};
  EXPECT_EQ(document_of(verdict)["command"], (json{{"exit_status", 5}, {"signal", nullptr}}));
  verdict.run.command = CommandEnd{.exit_status = {}, .signal = 9};
  EXPECT_EQ(document_of(verdict)["command"], (json{{"exit_status", nullptr}, {"signal", 9}}));
}

} // namespace
} // namespace mapscope
