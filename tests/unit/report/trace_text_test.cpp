// The lines of `trace`: what each kind looks like, every time format, and what must not get out.
#include "report/trace_text.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "unit/report/trace_fixture.h"

namespace mapscope {
namespace {

TraceTextOptions plain() { return {.time = {.format = TimeFormat::none}}; }

std::string line_of(const TraceEvent &event, TraceTextOptions options = plain()) {
  std::string out;
  TraceText{std::move(options)}.append(event, out);
  return out;
}

// What stands behind time, thread and goroutine; runs of spaces are one.
std::string words_of(const TraceEvent &event) {
  std::string words;
  for (char character : line_of(event).substr(20))
    if (character != ' ' || (!words.empty() && words.back() != ' '))
      words += character;
  return words;
}

TEST(TraceTextTest, ColumnsStandBelowTheirNames) {
  std::string out;
  TraceText text{{.time = {.start_ns = kTraceStart}}};
  text.header(out);
  text.append(grown_event(), out);
  EXPECT_EQ(out,
            "        TIME   THREAD  GOROUTINE  EVENT    MAP               TYPE                  "
            "WHAT                                        SITE\n"
            "    0.001234      101  g18        grown    0xc000012340      map[string]int        "
            "448 entries, 512 -> 1024 slots, 26.7 KiB    main.put main.go:12\n");
}

TEST(TraceTextTest, SaysWhatHappenedToAMap) {
  EXPECT_EQ(words_of(created_event()),
            "created ? map[string]int hint 100, 128 slots, 3.41 KiB main.put main.go:12\n");
  EXPECT_EQ(
      words_of(split_event()),
      "split 0xc000012340 map[string]int 5000 entries, a table of 1024 slots split, 53.3 KiB, "
      "first seen main.put main.go:12\n");
  EXPECT_EQ(words_of(change_of(TraceKind::map_created, {.operation = MAP_OPERATION_MAKE_SMALL})),
            "created ? map[string]int no hint or one up to 8 main.put main.go:12\n");
  MapChange change{.operation = MAP_OPERATION_CLEAR,
                   .map = map_at(0xc0, 1),
                   .len = 1,
                   .slots_before = 8,
                   .slots_after = 8};
  EXPECT_EQ(words_of(change_of(TraceKind::map_cleared, change)),
            "cleared 0xc0 map[string]int 1 entry, 8 slots main.put main.go:12\n");
  EXPECT_TRUE(words_of(change_of(TraceKind::map_rehashed, change)).starts_with("rehashed 0xc0"));
  EXPECT_TRUE(words_of(change_of(TraceKind::map_cloned, change)).starts_with("cloned 0xc0"));
}

TEST(TraceTextTest, WhatIsNotKnownIsAQuestionMark) {
  TraceEvent event = event_of(TraceKind::map_grown);
  event.stack = nullptr;
  event.what = MapChange{.operation = MAP_OPERATION_REHASH};
  EXPECT_EQ(words_of(event), "grown ? ? ?\n");
}

TEST(TraceTextTest, SaysWhatTheHeapWasAsked) {
  EXPECT_EQ(words_of(heap_event()),
            "heap the heap needs 4.00 MiB more, in map growth main.put main.go:12\n");
  EXPECT_EQ(words_of(large_event()), "large an object of 136 KiB main.put main.go:12\n");
}

TEST(TraceTextTest, SpellsMemoryCallsOut) {
  EXPECT_EQ(words_of(call_event(TraceKind::memory_call, mmap_call())),
            "mmap(NULL, 4 MiB, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED) = "
            "0xc000400000, in map growth main.put main.go:12\n");
  EXPECT_EQ(words_of(outside_event("madvise", {0xc000400000, 0x410000, 15}, 0)),
            "madvise(0xc000400000, 4160 KiB, MADV_NOHUGEPAGE) = 0\n");
  EXPECT_EQ(words_of(outside_event("madvise", {0x1000, 4097, 77}, -22)),
            "madvise(0x1000, 4097, 77) = EINVAL\n");
  EXPECT_EQ(words_of(outside_event("mmap", {0, 4096, 0, 2, 5, 0x1000}, -12)),
            "mmap(NULL, 4 KiB, PROT_NONE, MAP_PRIVATE, 5, 0x1000) = ENOMEM\n");
  EXPECT_EQ(words_of(outside_event("mmap", {0, 4096, 1, 0x40000022}, {})),
            "mmap(NULL, 4 KiB, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|0x40000000) = ?\n");
  EXPECT_EQ(words_of(outside_event("brk", {0}, 0x555500)), "brk(NULL) = 0x555500\n");
  EXPECT_EQ(words_of(outside_event("munmap", {0x7f00, 0}, 0)), "munmap(0x7f00, 0) = 0\n");
  EXPECT_EQ(words_of(outside_event("mremap", {0x1000, 4096, 8192, 3, 0x9000}, 0x9000)),
            "mremap(0x1000, 4 KiB, 8 KiB, MREMAP_MAYMOVE|MREMAP_FIXED, 0x9000) = 0x9000\n");
  EXPECT_EQ(words_of(outside_event("prctl", {0x53564d41, 0, 0x1000, 4096, 0x55}, 0)),
            "prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x1000, 4 KiB, 0x55) = 0\n");
}

TEST(TraceTextTest, FileCallsStandOut) {
  EXPECT_EQ(words_of(call_event(TraceKind::file_call, write_call())),
            "FILE write(2 = /var/log/gc.log) = 12, in map growth (the garbage collector prints its "
            "trace) main.put main.go:12\n");
}

TEST(TraceTextTest, AMisuseIsABlock) {
  EXPECT_EQ(line_of(misuse_event()),
            "\n    101  g18        MISUSE   fatal error: concurrent map writes\n"
            "!!  map        0xc000012340, map[string]int\n"
            "!!  goroutine  18 at main.put main.go:12: the runtime caught it\n"
            "!!  goroutine  19 at main.other main.go:44: the map and a call of a map function are "
            "on its stack\n\n");

  TraceEvent bare = event_of(TraceKind::map_misuse);
  bare.stack = nullptr;
  bare.what = std::make_shared<const MapMisuse>(MapMisuse{.is_fatal = true, .message = "x\x1b[2J"});
  EXPECT_EQ(line_of(bare), "\n    101  g18        MISUSE   fatal error: x?[2J\n"
                           "!!  map        address not known, of a type that is not known\n"
                           "!!  goroutine  18 at an unknown line: the runtime caught it\n"
                           "!!  goroutine  the other one is not known\n\n");
}

TEST(TraceTextTest, ProcessesComeAndGo) {
  EXPECT_EQ(words_of(process_event(TraceKind::process_exec, {.path = "/srv/app"})),
            "exec /srv/app\n");
  EXPECT_EQ(words_of(process_event(TraceKind::process_exit, {.exit_status = 2})),
            "exit with status 2\n");
  EXPECT_EQ(words_of(process_event(TraceKind::process_exit, {.signal = 9})),
            "exit killed by SIGKILL\n");
}

TEST(TraceTextTest, AnAddressUsedAgainIsToldApart) {
  TraceText text{plain()};
  auto place_of = [&](const MapIdentity &map, std::uint64_t goroutine = 18) {
    TraceEvent event = change_of(TraceKind::map_grown, {.map = map});
    event.goroutine = goroutine;
    std::string out;
    text.append(event, out);
    return out.substr(29, 18);
  };
  EXPECT_EQ(place_of(map_at(0xc000012340, 1)), "0xc000012340      ");
  EXPECT_EQ(place_of(map_at(0xc000012340, 3)), "0xc000012340#3    ");
  EXPECT_EQ(place_of(map_at(0xc000012340, 1)), "0xc000012340      ");
  MapIdentity on_stack = map_at(0xc000099000, 4);
  on_stack.stack_distance = 0x1a8;
  EXPECT_EQ(place_of(on_stack, 1), "stack g1+0x1a8    ");
  on_stack.address = ProcessAddress{0xc000088000}; // the stack moved
  EXPECT_EQ(place_of(on_stack, 1), "stack g1+0x1a8    ");
  on_stack.number = 5;
  EXPECT_EQ(place_of(on_stack, 1), "stack g1+0x1a8#5  ");
  EXPECT_EQ(place_of(on_stack, 2), "stack g2+0x1a8    ");
}

TEST(TraceTextTest, EveryTimeFormat) {
  TraceEvent event = grown_event(); // 5.001234567 s after boot
  auto time_of = [&event](TraceTimeOptions time) {
    time.start_ns = kTraceStart;
    time.wall_offset_ns = 1'700'000'000'000'000'000; // 2023-11-14 22:13:20 UTC
    std::string line = line_of(event, {.time = std::move(time)});
    return line.substr(0, line.find("      101"));
  };
  EXPECT_EQ(time_of({.format = TimeFormat::start}), "    0.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::clock}), "22:13:25.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::clock, .utc_offset_seconds = 3600}), "23:13:25.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::clock, .utc_offset_seconds = 2 * 3600}),
            "00:13:25.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::clock, .utc_offset_seconds = -5 * 3600}),
            "17:13:25.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::epoch}), "1700000005.001234");
  EXPECT_EQ(time_of({.format = TimeFormat::delta}), "    0.000000");
  event.time_ns = kTraceStart - 1;
  EXPECT_EQ(time_of({.format = TimeFormat::start}), "    0.000000") << "before the run began";
}

TEST(TraceTextTest, DeltaIsSinceTheLineBefore) {
  TraceText text{{.time = {.format = TimeFormat::delta}}};
  TraceEvent event = grown_event();
  std::string out;
  text.append(event, out);
  event.time_ns += 2'500'000'000;
  out.clear();
  text.append(event, out);
  EXPECT_TRUE(out.starts_with("    2.500000 ")) << out;
}

TEST(TraceTextTest, TimeFormatsHaveNames) {
  EXPECT_EQ(*parse_time_format("delta"), TimeFormat::delta);
  auto unknown = parse_time_format("tt");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Errc::usage);
  EXPECT_TRUE(unknown.error().message().contains("epoch"));
}

TEST(TraceTextTest, SeveralProcessesAreToldApart) {
  TraceTextOptions options = plain();
  options.show_pids = true;
  EXPECT_TRUE(line_of(grown_event(), options).starts_with("    100/101      g18")) << "pid/thread";
}

TEST(TraceTextTest, StacksAreBelowTheLine) {
  TraceTextOptions options = plain();
  options.show_stacks = true;
  std::string text = line_of(grown_event(), options);
  EXPECT_TRUE(text.ends_with("main.go:12\n"
                             "        internal/runtime/maps.(*table).rehash  /go/table.go:1\n"
                             "        main.put  /src/app/main.go:12 (inlined)\n"
                             "        main.fill  /src/app/main.go:31\n"))
      << text;
}

TEST(TraceTextTest, ColourChangesNothingElse) {
  TraceTextOptions options = plain();
  options.colour = true;
  for (const TraceEvent &event : {grown_event(), misuse_event(), heap_event()}) {
    std::string text = line_of(event, options);
    EXPECT_NE(text, line_of(event));
    for (auto escape = text.find('\x1b'); escape != text.npos; escape = text.find('\x1b'))
      text.erase(escape, text.find('m', escape) + 1 - escape);
    EXPECT_EQ(text, line_of(event));
  }
}

TEST(TraceTextTest, NamesDoNotSteerTheTerminal) {
  TraceEvent event = grown_event();
  auto type = std::make_shared<MapType>(*string_to_int());
  type->name = "map[\x1b[2J]\n";
  std::get<MapChange>(event.what).type = type;
  auto stack = std::make_shared<CallStack>();
  stack->site = SourceFrame{.function = "main.\rf", .file = "a/\x07.go", .line = 1};
  stack->frames = {{*stack->site}};
  event.stack = stack;
  TraceTextOptions options = plain();
  options.show_stacks = true;
  std::string text = line_of(event, options);
  for (char control : {'\x1b', '\r', '\x07'})
    EXPECT_FALSE(text.contains(control)) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

} // namespace
} // namespace mapscope
