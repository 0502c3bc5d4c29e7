// The picture of a trace: it parses, its slices nest, and its tracks have names.
#include "report/trace_perfetto.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/report/trace_fixture.h"

namespace mapscope {
namespace {

using nlohmann::json;

json entries_of(const std::vector<TraceEvent> &events) {
  TracePerfetto perfetto;
  std::string out;
  perfetto.begin(out);
  perfetto.process(kTraced, "/srv/app", out);
  for (const TraceEvent &event : events)
    perfetto.append(event, out);
  perfetto.end(out);
  return json::parse(out).at("traceEvents");
}

std::vector<json> of_phase(const json &entries, std::string_view phase) {
  std::vector<json> found;
  std::ranges::copy_if(entries, std::back_inserter(found),
                       [phase](const json &entry) { return entry.at("ph") == phase; });
  return found;
}

// An operation at `start_us` after the start of the run, and a call inside it.
TraceEvent operation_at(std::uint64_t start_us) {
  TraceEvent event = grown_event();
  event.time_ns = kTraceStart + start_us * 1000;
  return event;
}

TraceEvent call_at(std::uint64_t start_us, std::optional<std::string> operation = "growth") {
  AttributedCall call = mmap_call();
  call.time_ns = kTraceStart + start_us * 1000;
  call.operation = std::move(operation);
  return call_event(TraceKind::memory_call, std::move(call));
}

TEST(TracePerfettoTest, IsValidWithNothingInIt) { EXPECT_EQ(entries_of({}).size(), 1u); }

TEST(TracePerfettoTest, EveryEntryHasWhatTheFormatAsks) {
  json entries = entries_of({created_event(), grown_event(), split_event(), heap_event(),
                             large_event(), call_event(TraceKind::memory_call, mmap_call()),
                             call_event(TraceKind::file_call, write_call()), misuse_event(),
                             process_event(TraceKind::process_exec, {.path = "/srv/app"}),
                             process_event(TraceKind::process_exit, {.exit_status = 2})});
  std::set<std::string> phases;
  for (const json &entry : entries) {
    phases.insert(entry.at("ph"));
    EXPECT_EQ(entry.at("pid"), 100) << entry;
    EXPECT_TRUE(entry.at("tid").is_number_unsigned()) << entry;
    EXPECT_TRUE(entry.at("name").is_string()) << entry;
    const std::string phase = entry["ph"];
    EXPECT_TRUE(phase == "M" || entry.at("ts") == 5'001'234.567) << entry;
    EXPECT_TRUE(phase != "X" || entry.at("dur") > 0) << entry;
    EXPECT_TRUE(phase != "i" || entry.at("s") == "t" || entry.at("s") == "p") << entry;
  }
  EXPECT_EQ(phases, (std::set<std::string>{"C", "M", "X", "i"}));
}

TEST(TracePerfettoTest, GoroutinesAndThreadsHaveTracksWithNames) {
  TraceEvent sweeper = outside_event("madvise", {1, 2, 15}, 0);
  json entries = entries_of({grown_event(), sweeper, grown_event()});
  std::map<std::uint64_t, std::string> names;
  for (const json &entry : of_phase(entries, "M"))
    names[entry["tid"]] = entry["args"]["name"];
  EXPECT_EQ(names, (std::map<std::uint64_t, std::string>{
                       {0, "/srv/app"}, {18, "goroutine 18"}, {(1U << 31) + 101, "thread 101"}}));
  EXPECT_EQ(of_phase(entries, "M").size(), 3u) << "each is named once";
}

TEST(TracePerfettoTest, AnOperationHoldsTheCallsInsideIt) {
  json entries = entries_of({operation_at(10), call_at(12), call_at(20)});
  std::vector<json> slices = of_phase(entries, "X");
  ASSERT_EQ(slices.size(), 3u);
  std::ranges::sort(slices, {}, [](const json &slice) { return slice["ts"].get<double>(); });
  EXPECT_EQ(slices[0]["name"], "map_grown");
  double end = slices[0]["ts"].get<double>() + slices[0]["dur"].get<double>();
  double inner_end = 0;
  for (std::size_t at = 1; at < slices.size(); ++at) {
    EXPECT_EQ(slices[at]["name"], "mmap");
    EXPECT_EQ(slices[at]["tid"], slices[0]["tid"]);
    EXPECT_GE(slices[at]["ts"], inner_end) << "one call after the other";
    inner_end = slices[at]["ts"].get<double>() + slices[at]["dur"].get<double>();
  }
  EXPECT_NEAR(end, inner_end, 0.0005);
  EXPECT_NEAR(end - slices[0]["ts"].get<double>(), 12.345, 0.0005);
}

TEST(TracePerfettoTest, AnOperationWithoutCallsIsAnInstant) {
  json entries = entries_of({operation_at(10), operation_at(20)});
  EXPECT_EQ(of_phase(entries, "i").size(), 2u);
  EXPECT_TRUE(of_phase(entries, "X").empty());
}

TEST(TracePerfettoTest, ACallElsewhereEndsTheOperation) {
  json entries = entries_of({operation_at(10), call_at(20, "write"), call_at(30)});
  EXPECT_EQ(of_phase(entries, "X").size(), 2u) << "the two calls";
  EXPECT_EQ(of_phase(entries, "i").size(), 1u);
}

TEST(TracePerfettoTest, ACallThatDidNotReturnHasNoLength) {
  AttributedCall call = mmap_call();
  call.result = {};
  call.duration_ns = {};
  json entries = entries_of({call_event(TraceKind::memory_call, call)});
  ASSERT_EQ(of_phase(entries, "i").size(), 1u);
  EXPECT_FALSE(of_phase(entries, "i")[0].contains("dur"));
}

TEST(TracePerfettoTest, TheHeapCounterAddsUp) {
  json entries = entries_of({heap_event(), large_event(), heap_event()});
  auto counters = of_phase(entries, "C");
  ASSERT_EQ(counters.size(), 2u) << "large allocations ask the heap, not the kernel";
  EXPECT_EQ(counters[1]["args"]["bytes"], 8'388'608);
}

TEST(TracePerfettoTest, LosesNoOperationWhenMoreWaitThanFit) {
  TracePerfetto perfetto;
  std::string out;
  TraceEvent event = operation_at(1);
  for (event.goroutine = 1; *event.goroutine <= 5'000; ++*event.goroutine)
    perfetto.append(event, out);
  perfetto.end(out);
  std::size_t instants = 0;
  for (auto at = out.find(R"("ph":"i")"); at != out.npos; at = out.find(R"("ph":"i")", at + 1))
    ++instants;
  EXPECT_EQ(instants, 5'000u);
}

TEST(TracePerfettoTest, NamesAreEscaped) {
  TraceEvent event = grown_event();
  auto type = std::make_shared<MapType>(*string_to_int());
  type->name = "map[struct { F int \"json:\\\"f\\\"\" }]\x01\xff";
  std::get<MapChange>(event.what).type = type;
  json entries = entries_of({event});
  EXPECT_EQ(of_phase(entries, "i")[0]["args"]["type"],
            "map[struct { F int \"json:\\\"f\\\"\" }]\x01\xef\xbf\xbd");
}

} // namespace
} // namespace mapscope
