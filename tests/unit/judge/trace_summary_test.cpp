// What a run adds up to, and which line gets which hint.
#include "judge/trace_summary.h"

#include <gtest/gtest.h>

#include "unit/report/trace_fixture.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSlotBytes = 25; // of the maps here: control byte, key and element

CallStackPtr stack_at(std::string function, std::uint32_t line) {
  auto stack = std::make_shared<CallStack>();
  stack->site = SourceFrame{.function = std::move(function), .file = "main.go", .line = line};
  return stack;
}

// The growths of a swiss map from eight slots on, one after the other.
std::vector<TraceEvent> growths(std::uint64_t number, std::uint64_t slots_max,
                                const CallStackPtr &stack) {
  std::vector<TraceEvent> events;
  for (std::uint64_t slots = 8; slots < slots_max; slots *= 2) {
    MapIdentity map{.number = number, .address = ProcessAddress{0xc000000000 + number * 48}};
    events.push_back(change_of(TraceKind::map_grown, {.operation = MAP_OPERATION_REHASH,
                                                      .map = map,
                                                      .is_first_sight = slots == 8,
                                                      .len = slots / 8 * 7,
                                                      .slots_before = slots,
                                                      .slots_after = slots * 2,
                                                      .table_slots_before = slots,
                                                      .bytes = slots * 2 * kSlotBytes}));
    events.back().stack = stack;
  }
  return events;
}

TraceEvent creation(std::uint64_t number, const CallStackPtr &stack) {
  TraceEvent event = change_of(TraceKind::map_created,
                               {.operation = MAP_OPERATION_MAKE_SMALL,
                                .map = MapIdentity{.number = number, .creation_seen = true}});
  event.stack = stack;
  return event;
}

void add_all(TraceSummarizer &summarizer, const std::vector<TraceEvent> &events) {
  for (const TraceEvent &event : events)
    summarizer.add(event);
}

TraceSummary finished(const TraceSummarizer &summarizer) {
  return summarizer.finish(kTraceStart, {.time_ns = kTraceStart + 2'000'000'000});
}

TEST(TraceSummaryTest, AddsUpByLineAndType) {
  TraceSummarizer summarizer;
  CallStackPtr one = stack_at("main.one", 1);
  CallStackPtr two = stack_at("main.two", 2);
  add_all(summarizer, growths(1, 64, one));
  add_all(summarizer, growths(2, 1024, two));
  TraceEvent split = split_event();
  split.stack = two;
  summarizer.add(split);
  TraceSummary summary = finished(summarizer);

  ASSERT_EQ(summary.rows.size(), 2u);
  EXPECT_EQ(summary.rows[0].site->function, "main.two") << "most bytes first";
  EXPECT_EQ(summary.rows[0].grown, 7u);
  EXPECT_EQ(summary.rows[0].split, 1u);
  EXPECT_EQ(summary.rows[0].len_max, 5000u);
  EXPECT_EQ(summary.rows[0].bytes, (2048 - 16) * kSlotBytes + 54'592);
  EXPECT_EQ(summary.rows[1].grown, 3u);
  EXPECT_EQ(summary.rows[1].len_max, 28u);
  EXPECT_EQ(summary.rows[1].type, "map[string]int");
  EXPECT_EQ(summary.total.grown, 10u);
  EXPECT_EQ(summary.total.bytes, summary.rows[0].bytes + summary.rows[1].bytes);
  EXPECT_FALSE(summary.not_kept);
  EXPECT_EQ(summary.duration_ns, 2'000'000'000u);
}

TEST(TraceSummaryTest, EqualSitesAreOneRowWhateverTheirStacks) {
  TraceSummarizer summarizer;
  for (int at = 0; at < 3; ++at)
    add_all(summarizer, growths(1, 16, stack_at("main.one", 1)));
  EXPECT_EQ(finished(summarizer).rows.size(), 1u);
}

TEST(TraceSummaryTest, NamesTheHintThatSavesEveryGrowth) {
  TraceSummarizer summarizer;
  CallStackPtr stack = stack_at("main.fill", 31);
  for (std::uint64_t number = 1; number <= 999; ++number)
    add_all(summarizer, growths(number, 1024, stack));
  auto hint = finished(summarizer).rows.at(0).hint;
  ASSERT_TRUE(hint);
  EXPECT_EQ(*hint, (SizeHint{.hint = 896,
                             .slots = 1024,
                             .maps = 999,
                             .growths = 6'993,
                             // 16 to 512 slots; those of 1024 are asked for either way
                             .bytes = 999 * (1024 - 16) * kSlotBytes,
                             .is_at_creation = false}));
}

TEST(TraceSummaryTest, NamesTheLineThatMakesTheMaps) {
  TraceSummarizer summarizer;
  CallStackPtr make = stack_at("main.make", 10);
  CallStackPtr fill = stack_at("main.fill", 31);
  for (std::uint64_t number = 1; number <= 10; ++number) {
    summarizer.add(creation(number, make));
    add_all(summarizer, growths(number, 64, fill));
  }
  TraceSummary summary = finished(summarizer);
  ASSERT_EQ(summary.rows.size(), 2u);
  EXPECT_EQ(summary.rows[0].site->function, "main.fill");
  EXPECT_FALSE(summary.rows[0].hint);
  ASSERT_TRUE(summary.rows[1].hint);
  EXPECT_TRUE(summary.rows[1].hint->is_at_creation);
  EXPECT_EQ(summary.rows[1].hint->hint, 56u);
  EXPECT_EQ(summary.rows[1].hint->growths, 30u);
}

TEST(TraceSummaryTest, AdvisesNothingWhereMostMapsStaySmall) {
  TraceSummarizer summarizer;
  CallStackPtr make = stack_at("main.make", 10);
  for (std::uint64_t number = 1; number <= 10; ++number)
    summarizer.add(creation(number, make));
  for (std::uint64_t number = 1; number <= 5; ++number)
    add_all(summarizer, growths(number, 1024, stack_at("main.fill", 31)));
  for (const TraceSummaryRow &row : finished(summarizer).rows)
    EXPECT_FALSE(row.hint) << row.site->function;
}

TEST(TraceSummaryTest, AHintIsForNineInTen) {
  CallStackPtr stack = stack_at("main.fill", 31);
  for (std::uint64_t large : {1, 2}) {
    TraceSummarizer summarizer;
    for (std::uint64_t number = 1; number <= 10; ++number)
      add_all(summarizer, growths(number, number <= large ? 65'536 : 64, stack));
    auto hint = finished(summarizer).rows.at(0).hint;
    if (large == 1) {
      ASSERT_TRUE(hint);
      EXPECT_EQ(hint->hint, 56u);
      EXPECT_EQ(hint->maps, 9u);
      EXPECT_EQ(hint->growths, 27u) << "those of the large one are not saved";
    } else {
      EXPECT_FALSE(hint) << "eight small maps would cost more than two large ones save";
    }
  }
}

TEST(TraceSummaryTest, OneGrowthIsNotWorthAWord) {
  TraceSummarizer summarizer;
  add_all(summarizer, growths(1, 16, stack_at("main.fill", 31)));
  EXPECT_FALSE(finished(summarizer).rows.at(0).hint);
}

TEST(TraceSummaryTest, ClaimsNoBytesThatWereNotTold) {
  TraceSummarizer summarizer;
  auto events = growths(1, 64, stack_at("main.fill", 31));
  std::get<MapChange>(events[1].what).bytes.reset();
  add_all(summarizer, events);
  TraceSummaryRow row = finished(summarizer).rows.at(0);
  EXPECT_EQ(row.bytes_not_told, 1u);
  ASSERT_TRUE(row.hint);
  EXPECT_FALSE(row.hint->bytes);
  EXPECT_EQ(row.hint->growths, 3u);
}

TEST(TraceSummaryTest, ClaimsNoHintWhereTheSizeIsNotKnown) {
  TraceSummarizer summarizer;
  auto events = growths(1, 64, stack_at("main.fill", 31));
  auto &last = std::get<MapChange>(events.back().what);
  last.slots_before.reset();
  last.slots_after.reset();
  last.len.reset();
  add_all(summarizer, events);
  EXPECT_FALSE(finished(summarizer).rows.at(0).hint);
}

TEST(TraceSummaryTest, EntriesTellTheSizeWhereSlotsDoNot) {
  TraceSummarizer summarizer;
  auto events = growths(1, 4096, stack_at("main.fill", 31));
  for (TraceEvent &event : events)
    std::get<MapChange>(event.what).slots_after.reset();
  add_all(summarizer, events);
  auto hint = finished(summarizer).rows.at(0).hint;
  ASSERT_TRUE(hint);
  EXPECT_EQ(hint->slots, 4096u) << "1,792 entries fill 2,048 slots, and one more came";
}

TEST(TraceSummaryTest, ClassicMapsHoldSixOfEight) {
  TraceSummarizer summarizer;
  auto events = growths(1, 1024, stack_at("main.fill", 31));
  for (TraceEvent &event : events)
    std::get<MapChange>(event.what).operation = MAP_OPERATION_HASH_GROW;
  add_all(summarizer, events);
  auto hint = finished(summarizer).rows.at(0).hint;
  ASSERT_TRUE(hint);
  EXPECT_EQ(hint->hint, 768u);
}

TEST(TraceSummaryTest, WhatDoesNotFitIsOneRow) {
  TraceSummarizer summarizer{{.rows_max = 2, .maps_max = 100}};
  for (std::uint32_t line = 1; line <= 10; ++line)
    add_all(summarizer, growths(line, 16, stack_at("main.f", line)));
  TraceSummary summary = finished(summarizer);
  EXPECT_EQ(summary.rows.size(), 2u);
  ASSERT_TRUE(summary.not_kept);
  EXPECT_EQ(summary.not_kept->grown, 8u);
  EXPECT_EQ(summary.total.grown, 10u);
}

TEST(TraceSummaryTest, ForgottenMapsAreCountedWhenTheyComeBack) {
  TraceSummarizer summarizer{{.rows_max = 10, .maps_max = 2}};
  CallStackPtr stack = stack_at("main.fill", 31);
  for (std::uint64_t number = 1; number <= 3; ++number)
    add_all(summarizer, growths(number, 64, stack));
  EXPECT_EQ(finished(summarizer).maps_forgotten, 0u);
  EXPECT_EQ(finished(summarizer).rows[0].hint->maps, 3u) << "forgetting takes nothing back";
  TraceEvent again = growths(1, 64, stack).back();
  summarizer.add(again);
  EXPECT_EQ(finished(summarizer).maps_forgotten, 1u);
}

TEST(TraceSummaryTest, MapsOfTwoProcessesAreTwo) {
  TraceSummarizer summarizer;
  CallStackPtr stack = stack_at("main.fill", 31);
  add_all(summarizer, growths(1, 64, stack));
  auto others = growths(1, 64, stack);
  for (TraceEvent &event : others)
    event.process.start_time_ns = 2; // the pid was used again
  add_all(summarizer, others);
  EXPECT_EQ(finished(summarizer).rows.at(0).hint->maps, 2u);
}

TEST(TraceSummaryTest, CountsCallsRequestsAndMisuse) {
  TraceSummarizer summarizer;
  add_all(summarizer,
          {call_event(TraceKind::memory_call, mmap_call()), outside_event("mmap", {0, 4096}, -12),
           outside_event("mmap", {0, 4096}, {}), call_event(TraceKind::file_call, write_call()),
           heap_event(), large_event(), misuse_event()});
  TraceSummary summary = finished(summarizer);
  ASSERT_EQ(summary.memory_calls->size(), 1u);
  const CallSummary &calls = summary.memory_calls->front();
  EXPECT_EQ(calls.calls, 3u);
  EXPECT_EQ(calls.inside, 1u);
  EXPECT_EQ(calls.errors, 1u);
  EXPECT_EQ(calls.bytes, std::uint64_t{4} << 20) << "the failed one mapped nothing";
  EXPECT_EQ(calls.bytes_not_told, 1u);
  EXPECT_EQ(summary.heap_grown->count, 1u);
  EXPECT_EQ(summary.heap_grown->inside_bytes, std::uint64_t{4} << 20);
  EXPECT_EQ(summary.large_allocations->inside_count, 0u);
  EXPECT_EQ(summary.file_calls, 1u);
  EXPECT_EQ(summary.misuses, 1u);
}

TEST(TraceSummaryTest, HostileNumbersDoNoHarm) {
  TraceSummarizer summarizer;
  for (std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX, UINT64_MAX / 2})
    for (int again = 0; again < 3; ++again)
      summarizer.add(change_of(TraceKind::map_grown, {.operation = MAP_OPERATION_REHASH,
                                                      .map = map_at(value, 1),
                                                      .len = value,
                                                      .slots_before = value,
                                                      .slots_after = value,
                                                      .table_slots_before = value,
                                                      .bytes = value}));
  EXPECT_EQ(finished(summarizer).rows.at(0).grown, 12u);
}

} // namespace
} // namespace mapscope
