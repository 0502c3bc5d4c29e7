// The end of `trace --summary`: the table, the lines to fix, what was lost; and the same as JSON.
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/trace_summary_json.h"
#include "report/trace_summary_text.h"

namespace mapscope {
namespace {

using nlohmann::json;

TraceSummaryRow row_at(std::uint32_t line, std::uint64_t grown) {
  TraceSummaryRow row;
  row.site = SourceFrame{.function = "main.fill", .file = "/src/main.go", .line = line};
  row.type = "map[string]int";
  row.grown = grown;
  row.bytes = grown * 1024;
  row.len_max = 896;
  return row;
}

TraceSummary summary_of(std::vector<TraceSummaryRow> rows) {
  TraceSummary summary;
  summary.duration_ns = 2'000'000'000;
  for (const TraceSummaryRow &row : rows)
    summary.total += row;
  summary.rows = std::move(rows);
  summary.memory_calls.emplace();
  summary.memory_calls->push_back(
      {.name = "mmap", .calls = 21, .inside = 2, .errors = 1, .bytes = 1 << 20});
  summary.heap_grown.emplace();
  summary.large_allocations.emplace();
  summary.end.events[EVENT_KIND_MAP_OPERATION] = {.sent = 1234, .lost_ring_full = 0};
  return summary;
}

TEST(TraceSummaryTextTest, NamesTheLineToFixAndTheHintToGive) {
  TraceSummaryRow row = row_at(31, 6'993);
  row.hint = SizeHint{.hint = 896,
                      .slots = 1024,
                      .maps = 999,
                      .growths = 6'993,
                      .bytes = std::uint64_t{210} << 20,
                      .is_at_creation = true};
  std::string text = trace_summary_text(summary_of({row}), false);
  EXPECT_TRUE(
      text.contains("-> main.fill main.go:31: 999 maps of type map[string]int made here grow "
                    "7 times each, to 1,024 slots or fewer; make(map[string]int, 896) would "
                    "save 6,993 growths and 210 MiB of allocation\n"))
      << text;

  row.hint->is_at_creation = false;
  row.hint->maps = 1;
  row.hint->growths = 7;
  row.hint->bytes = {};
  text = trace_summary_text(summary_of({row}), false);
  EXPECT_TRUE(
      text.contains("-> main.fill main.go:31: one map of type map[string]int grows 7 times, "
                    "to 1,024 slots; make(map[string]int, 896) where it is made would save "
                    "7 growths\n"))
      << text;
}

TEST(TraceSummaryTextTest, HasATable) {
  std::string text = trace_summary_text(summary_of({row_at(31, 2'000), row_at(40, 1)}), false);
  EXPECT_TRUE(text.starts_with("2,001 map operations in 2.00 s")) << text;
  EXPECT_TRUE(
      text.contains("  1.95 MiB          0      2,000        0        0        0         896"
                    "  map[string]int            main.fill main.go:31\n"))
      << text;
  EXPECT_TRUE(text.contains("21 mmap (1.00 MiB, 1 failed)")) << text;
  EXPECT_TRUE(text.contains("1,234 records, 0 lost")) << text;
}

TEST(TraceSummaryTextTest, SumsWhatIsNotShown) {
  std::vector<TraceSummaryRow> rows(25, row_at(31, 1));
  TraceSummary summary = summary_of(rows);
  summary.not_kept = row_at(0, 7);
  std::string text = trace_summary_text(summary, false);
  EXPECT_TRUE(text.contains("5 other lines and those beyond\n")) << text;
  EXPECT_TRUE(text.contains("         12        0")) << "5 and 7\n" << text;
}

TEST(TraceSummaryTextTest, SaysWhatWasNotTold) {
  TraceSummaryRow row = row_at(31, 1);
  row.bytes_not_told = 2;
  TraceSummary summary = summary_of({row});
  summary.end.events[EVENT_KIND_STACK].lost_ring_full = 5;
  summary.end.unknown = {{"types_unknown", 3}};
  summary.maps_forgotten = 1;
  std::string text = trace_summary_text(summary, false);
  for (auto part : {"1.00 KiB+", "2 operations did not tell their bytes",
                    "1,234 records, 5 lost; ring_full 5; types_unknown 3",
                    "1 map grew again after it had to be forgotten"})
    EXPECT_TRUE(text.contains(part)) << part << "\n" << text;
}

TEST(TraceSummaryJsonTest, HasTheKeysThatOthersBuildOn) {
  TraceSummaryRow row = row_at(31, 7);
  row.hint = SizeHint{
      .hint = 896, .slots = 1024, .maps = 1, .growths = 7, .bytes = {}, .is_at_creation = true};
  json document = json::parse(trace_summary_json(summary_of({row})));
  EXPECT_EQ(document.at("schema"), "mapscope.trace_summary/1");
  EXPECT_EQ(document.at("duration_seconds"), 2.0);
  EXPECT_EQ(document.at("sites"), json::parse(R"([{
    "site": {"function": "main.fill", "file": "/src/main.go", "line": 31},
    "type": "map[string]int", "created": 0, "cloned": 0, "grown": 7, "split": 0, "rehashed": 0,
    "cleared": 0, "bytes": 7168, "bytes_not_told": 0, "len_max": 896,
    "hint": {"hint": 896, "slots": 1024, "maps": 1, "growths_saved": 7, "bytes_saved": null,
             "at_creation": true}}])"));
  EXPECT_EQ(document.at("totals").at("grown"), 7);
  EXPECT_TRUE(document.at("other_sites").is_null());
  EXPECT_EQ(document.at("memory_calls").at("mmap").at("calls"), 21);
  EXPECT_EQ(document.at("events").at("sent"), 1234);
  EXPECT_EQ(document.at("events").at("lost").at("ring_full"), 0);
  EXPECT_TRUE(document.at("command").is_null());
}

TEST(TraceSummaryTextTest, WhatAFilterKeptAwayIsNotCalledNone) {
  TraceSummary summary = summary_of({});
  summary.memory_calls.reset();
  summary.heap_grown.reset();
  summary.large_allocations.reset();
  std::string text = trace_summary_text(summary, false);
  EXPECT_FALSE(text.contains("memory calls")) << text;
  EXPECT_FALSE(text.contains("\nheap ")) << text;
  json document = json::parse(trace_summary_json(summary));
  EXPECT_TRUE(document.at("memory_calls").is_null());
  EXPECT_TRUE(document.at("heap_grown").is_null());
}

} // namespace
} // namespace mapscope
