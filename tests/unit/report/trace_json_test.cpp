// The lines of `trace --json`: the keys of mapscope.trace/1, and null for what is not known.
#include "report/trace_json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/report/trace_fixture.h"

namespace mapscope {
namespace {

using nlohmann::json;

json line_of(const TraceEvent &event, TraceJsonOptions options = {}) {
  std::string out;
  TraceJson{options}.append(event, out);
  EXPECT_EQ(out.find('\n'), out.size() - 1) << "one line";
  return json::parse(out);
}

TEST(TraceJsonTest, HasTheKeysThatOthersBuildOn) {
  EXPECT_EQ(line_of(grown_event()), json::parse(R"({
    "schema": "mapscope.trace/1", "event": "map_grown", "time_ns": 5001234567, "pid": 100,
    "tid": 101, "goroutine": 18, "map": "0xc000012340", "map_number": 1, "stack_distance": null,
    "creation_seen": false, "first_sight": false, "type": "map[string]int", "operation": "rehash",
    "hint": null, "len": 448, "slots_before": 512, "slots": 1024, "table_slots_before": 512,
    "bytes": 27296, "site": {"function": "main.put", "file": "/src/app/main.go", "line": 12}})"));
}

TEST(TraceJsonTest, WhatIsNotKnownIsNull) {
  TraceEvent event = event_of(TraceKind::map_grown);
  event.goroutine = {};
  event.stack = nullptr;
  event.what = MapChange{.operation = MAP_OPERATION_REHASH};
  json line = line_of(event);
  for (auto key : {"goroutine", "map", "type", "hint", "len", "slots", "slots_before",
                   "table_slots_before", "bytes", "site"})
    EXPECT_TRUE(line.at(key).is_null()) << key;
}

TEST(TraceJsonTest, CallsTellArgumentsAndResult) {
  EXPECT_EQ(line_of(call_event(TraceKind::memory_call, mmap_call())), json::parse(R"({
    "schema": "mapscope.trace/1", "event": "memory_call", "time_ns": 5001234567, "pid": 100,
    "tid": 101, "goroutine": 18, "system_call": "mmap",
    "arguments": ["0x0", "0x400000", "0x3", "0x32", "0xffffffffffffffff", "0x0"],
    "result": 824637915136, "duration_ns": 2345, "bytes": 4194304, "path": null,
    "descriptor": "unknown", "inside": true, "operation": "growth", "witnesses": ["stack"],
    "cause": null, "site": {"function": "main.put", "file": "/src/app/main.go", "line": 12}})"));
  json failed = line_of(outside_event("mmap", {0, 4096}, -12));
  EXPECT_EQ(failed.at("result"), -12);
  EXPECT_EQ(failed.at("inside"), false);
  EXPECT_TRUE(line_of(outside_event("brk", {0}, {})).at("bytes").is_null());
}

TEST(TraceJsonTest, TheOtherKindsHaveTheirOwnKeys) {
  json heap = line_of(heap_event());
  EXPECT_EQ(heap.at("event"), "heap_grown");
  EXPECT_EQ(heap.at("bytes"), 4'194'304);
  EXPECT_EQ(heap.at("operation"), "growth");
  json misuse = line_of(misuse_event());
  EXPECT_EQ(misuse.at("message"), "concurrent map writes");
  EXPECT_EQ(misuse.at("fatal"), true);
  EXPECT_EQ(misuse.at("others"), json::parse(R"([{"goroutine": 19, "evidence": "on_stack",
              "site": {"function": "main.other", "file": "/src/app/main.go", "line": 44}}])"));
  json exited = line_of(process_event(TraceKind::process_exit, {.signal = 9}));
  EXPECT_EQ(exited.at("signal"), 9);
  EXPECT_TRUE(exited.at("exit_status").is_null());
  EXPECT_EQ(line_of(process_event(TraceKind::process_exec, {.path = "/a"})).at("path"), "/a");
}

TEST(TraceJsonTest, StacksAreThereWhenAskedFor) {
  EXPECT_FALSE(line_of(grown_event()).contains("stack"));
  json stack = line_of(grown_event(), {.show_stacks = true}).at("stack");
  ASSERT_EQ(stack.size(), 3u);
  EXPECT_EQ(stack[1], json::parse(R"({"function": "main.put", "file": "/src/app/main.go",
                                      "line": 12, "inlined": true})"));
}

TEST(TraceJsonTest, EveryTextIsEscaped) {
  std::string nasty = "\"\\\b\t\n\x01\x7f \xc3\xa9\xff\xed\xa0\x80";
  AttributedCall call = write_call();
  call.path = nasty;
  call.site = SourceFrame{.function = nasty, .file = nasty, .line = 1};
  std::string expected =
      "\"\\\b\t\n\x01\x7f \xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
  json line = line_of(call_event(TraceKind::file_call, call));
  EXPECT_EQ(line.at("path"), expected);
  EXPECT_EQ(line.at("site").at("function"), expected);
}

TEST(TraceJsonTest, TheLastLineTellsWhatWasLost) {
  TraceEnd end{.time_ns = 7};
  end.events[EVENT_KIND_MAP_OPERATION] = {.sent = 5, .lost_ring_full = 2};
  end.lost[LOSS_STACK_UNREADABLE] = 3;
  end.unknown = {{"stacks_unknown", 4}};
  end.command = CommandEnd{.exit_status = 0, .signal = {}};
  end.notes = {"a \"note\""};
  std::string out;
  TraceJson{{}}.end(end, out);
  json line = json::parse(out);
  EXPECT_EQ(line.at("schema"), "mapscope.trace/1");
  EXPECT_EQ(line.at("event"), "end");
  EXPECT_EQ(line.at("events").at("sent"), 5);
  EXPECT_EQ(line.at("events").at("lost").at("ring_full"), 2);
  EXPECT_EQ(line.at("events").at("lost").at("stack_unreadable"), 3);
  EXPECT_EQ(line.at("events").at("lost").at("malformed"), 0);
  EXPECT_EQ(line.at("events").at("by_kind"),
            json::parse(R"({"map_operation": {"sent": 5, "lost": 2}})"));
  EXPECT_EQ(line.at("events").at("unknown").at("stacks_unknown"), 4);
  EXPECT_EQ(line.at("command").at("exit_status"), 0);
  EXPECT_EQ(line.at("notes"), json::array({"a \"note\""}));
}

} // namespace
} // namespace mapscope
