// Reports of map misuse, with stacks written by hand: which map, which type, and who else.
#include <cstring>
#include <initializer_list>

#include <gtest/gtest.h>

#include "attribute/trace_attributor.h"
#include "support/fake_names.h"

namespace mapscope {
namespace {

using testing::FakeNames;
using Evidence = OtherGoroutine::Evidence;

// Call sites, each the last byte of a call instruction; the return address follows it.
constexpr std::uint64_t kText = 0x1000, kFatal = 0x2000, kMapAssign = 0x3010, kGrow = 0x3210,
                        kFill = 0x5010, kMain = 0x5110, kReader = 0x5210;
constexpr std::uint64_t kIntMap = 0x9000, kStringMap = 0x9100;
constexpr std::uint64_t kMap = 0xc000010000, kOtherMap = 0xc000010030;
constexpr std::uint64_t kStack = 77, kGrowStack = 78;

const MapType kIntType = {.name = "map[int]int", .group_bytes = 136};
const MapType kStringType = {.name = "map[string]int", .group_bytes = 200};

BinaryFacts facts_of_program() {
  BinaryFacts facts;
  facts.version = {1, 26, 8};
  facts.map_implementation = MapImplementation::swiss;
  facts.text = {{kText}, 0x6000};
  facts.runtime_text = {{kText}, 0x3000};
  facts.map_functions = {{"runtime.mapassign_fast64", {{0x3000}, 0x200}}};
  return facts;
}

FakeNames names_of_program() {
  FakeNames names;
  names.lines = {{kFatal, {{"internal/runtime/maps.fatal", "panic.go", 1}}},
                 {kMapAssign, {{"runtime.mapassign_fast64", "runtime_fast64.go", 200}}},
                 {kGrow, {{"internal/runtime/maps.(*table).rehash", "table.go", 1145}}},
                 {kFill, {{"main.fill", "main.go", 20}}},
                 {kReader, {{"main.reader", "main.go", 30}}},
                 {kMain, {{"main.main", "main.go", 40}}}};
  names.types = {{kIntMap, kIntType}, {kStringMap, kStringType}};
  names.calls = {{kFill + 1, kIntType}, {kReader + 1, kIntType}};
  return names;
}

misuse_map being_written(std::uint64_t address, std::uint64_t seed = 1) {
  misuse_map map{.address = address};
  map.header[0] = 10;
  map.header[1] = seed;
  map.header[2] = 0xc000030000;
  map.header[3] = 1;
  map.header[4] = std::uint64_t{1} << 16; // writing
  return map;
}

stack_event stack_of(std::uint64_t id, std::initializer_list<std::uint64_t> call_sites) {
  stack_event event{.id = id};
  std::size_t depth = 0;
  for (std::uint64_t site : call_sites)
    event.frames[depth] = site + (depth == 0 ? 0 : 1), ++depth;
  return event;
}

// Found by mapassign, which main.fill called; `words` lie between its frame and main.main's.
map_misuse_event report(std::uint64_t goid, std::initializer_list<std::uint64_t> words,
                        std::initializer_list<misuse_map> maps) {
  map_misuse_event event{.goid = goid, .stack = kStack, .sp = 0xc000100000};
  event.header.time_ns = 50;
  event.stack_hi = 0xc000102000;
  event.misuse = MAP_MISUSE_CONCURRENT;
  std::strcpy(event.message, "concurrent map writes");
  auto add = [&](std::uint64_t word) { event.words[event.word_count++] = word; };
  add(kMapAssign + 1);
  add(kFill + 1);
  for (std::uint64_t word : words)
    add(word);
  add(kMain + 1);
  add(kOtherMap); // of main.main's frame
  for (const misuse_map &map : maps)
    event.maps[event.map_count++] = map;
  return event;
}

class MisuseAttributorTest : public ::testing::Test {
protected:
  void SetUp() override {
    attributor.add(stack_of(kStack, {kFatal, kMapAssign, kFill, kMain}));
    attributor.add(stack_of(kGrowStack, {kGrow, kMapAssign, kReader, kMain}));
  }
  MapMisuse misuse_of(const map_misuse_event &event) {
    attributor.add(event);
    auto told = attributor.take_all();
    EXPECT_EQ(told.size(), 1U);
    return told.empty() ? MapMisuse{} : misuse(told[0]);
  }
  static MapMisuse misuse(const TraceEvent &event) {
    return *std::get<std::shared_ptr<const MapMisuse>>(event.what);
  }

  BinaryFacts facts = facts_of_program();
  FakeNames names = names_of_program();
  TraceAttributor attributor{{}, facts, names, false};
};

TEST_F(MisuseAttributorTest, TheCallTellsTheTypeAndItsFramesTheMap) {
  attributor.add(report(3, {kMap}, {being_written(kMap), being_written(kOtherMap)}));
  auto told = attributor.take_all();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, TraceKind::map_misuse);
  EXPECT_EQ(told[0].goroutine, 3U);
  EXPECT_EQ(site_of(told[0])->function, "main.fill");
  auto known = misuse(told[0]);
  EXPECT_TRUE(known.is_fatal);
  EXPECT_EQ(known.message, "concurrent map writes");
  ASSERT_TRUE(known.type);
  EXPECT_EQ(*known.type, kIntType);
  ASSERT_TRUE(known.map); // the other one lies in the frame of main.main
  EXPECT_EQ(known.map->address, ProcessAddress{kMap});
  EXPECT_TRUE(known.others.empty());
}

TEST_F(MisuseAttributorTest, WhichOfTwoMapsItWasIsNotGuessed) {
  auto event = report(3, {kMap, kOtherMap}, {being_written(kMap), being_written(kOtherMap)});
  EXPECT_EQ(misuse_of(event).map, std::nullopt);
}

TEST_F(MisuseAttributorTest, AMapThatNobodyWritesIsNotIt) {
  auto map = being_written(kMap);
  map.header[4] = 0;
  EXPECT_EQ(misuse_of(report(3, {kMap}, {map})).map, std::nullopt);
}

TEST_F(MisuseAttributorTest, OneDescriptorInTheFramesTellsTheTypeToo) {
  names.calls.clear();
  auto known = misuse_of(report(3, {kStringMap, kMap}, {}));
  ASSERT_TRUE(known.type);
  EXPECT_EQ(*known.type, kStringType);
  EXPECT_EQ(misuse_of(report(3, {kStringMap, kIntMap}, {})).type, nullptr);
}

TEST_F(MisuseAttributorTest, WaitsForTheSnapshotThroughOneTake) {
  attributor.add(report(3, {kMap}, {being_written(kMap)}));
  EXPECT_TRUE(attributor.take().empty());
  EXPECT_EQ(attributor.take().size(), 1U);
}

TEST_F(MisuseAttributorTest, ANilMapIsToldAtOnceAndIsNotFatal) {
  auto event = report(3, {}, {});
  event.misuse = MAP_MISUSE_NIL_MAP;
  std::strcpy(event.message, "assignment to entry in nil map");
  attributor.add(event);
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_FALSE(misuse(told[0]).is_fatal);
  EXPECT_EQ(*misuse(told[0]).type, kIntType);
}

TEST_F(MisuseAttributorTest, GoroutinesThatReportTheSameMapNameEachOther) {
  attributor.add(report(3, {kMap}, {being_written(kMap)}));
  attributor.add(report(4, {kMap}, {being_written(kMap)}));
  attributor.add(report(5, {kOtherMap}, {being_written(kOtherMap)}));
  auto told = attributor.take_all();
  ASSERT_EQ(told.size(), 3U);
  auto first = misuse(told[0]);
  ASSERT_EQ(first.others.size(), 1U);
  EXPECT_EQ(first.others[0].goroutine, 4U);
  EXPECT_EQ(first.others[0].evidence, Evidence::reported);
  EXPECT_EQ(first.others[0].site->function, "main.fill");
  EXPECT_TRUE(misuse(told[2]).others.empty());
}

// A goroutine whose stack holds these words.
GoroutineStack goroutine(std::uint64_t goid, std::vector<std::uint64_t> words) {
  return {.goid = goid, .status = 2, .words = std::move(words)};
}

TEST_F(MisuseAttributorTest, AStackWithTheMapAndACallOnItIsAnother) {
  attributor.add(report(3, {kMap}, {being_written(kMap)}));
  EXPECT_TRUE(attributor.take().empty());
  GoroutineSnapshot snapshot;
  snapshot.goroutines = {
      goroutine(3, {kFill + 1, kMap}),         // who reported
      goroutine(4, {1, kReader + 1, 2, kMap}), // the other one
      goroutine(5, {kReader + 1, kOtherMap}),  // uses another map
      goroutine(6, {kMain + 1, kMap}),         // has it, and calls no map function
  };
  attributor.add(snapshot);
  auto told = attributor.take();
  ASSERT_EQ(told.size(), 1U);
  auto known = misuse(told[0]);
  ASSERT_EQ(known.others.size(), 1U);
  EXPECT_EQ(known.others[0].goroutine, 4U);
  EXPECT_EQ(known.others[0].evidence, Evidence::on_stack);
  EXPECT_EQ(known.others[0].site->function, "main.reader");
}

TEST_F(MisuseAttributorTest, WithoutTheMapTheTypeAndAMapFunctionsFrameCount) {
  attributor.add(report(3, {}, {}));
  GoroutineSnapshot snapshot;
  names.calls[kMain + 1] = kStringType;
  snapshot.goroutines = {
      goroutine(4, {kMapAssign + 1, kReader + 1}), // in mapassign
      goroutine(5, {kReader + 1}),                 // a call that may be over
      goroutine(6, {kMapAssign + 1, kMain + 1}),   // a map of another type
  };
  attributor.add(snapshot);
  auto known = misuse(attributor.take().at(0));
  ASSERT_EQ(known.others.size(), 1U);
  EXPECT_EQ(known.others[0].goroutine, 4U);
}

TEST_F(MisuseAttributorTest, ElseItIsWhoMadeItGrowLast) {
  for (std::uint64_t goid : {9, 4, 3}) {
    map_operation_event growth{.goid = goid, .map = kMap, .stack = kGrowStack};
    growth.operation = MAP_OPERATION_REHASH;
    growth.header_read = 1;
    std::memcpy(growth.map_header, being_written(kMap).header, sizeof(growth.map_header));
    attributor.add(growth);
  }
  EXPECT_EQ(attributor.take().size(), 3U);
  auto known = misuse_of(report(3, {kMap}, {being_written(kMap)}));
  ASSERT_EQ(known.others.size(), 1U);
  EXPECT_EQ(known.others[0].goroutine, 4U);
  EXPECT_EQ(known.others[0].evidence, Evidence::grew_it);
  EXPECT_EQ(known.others[0].site->function, "main.reader");
  EXPECT_EQ(known.map->number, 1U);
}

TEST_F(MisuseAttributorTest, ReportsBeyondTheLimitAreCounted) {
  for (std::uint64_t goid = 1; goid <= 300; ++goid)
    attributor.add(report(goid, {}, {}));
  EXPECT_EQ(attributor.take_all().size() + attributor.counts().misuses_dropped, 300U);
  EXPECT_GT(attributor.counts().misuses_dropped, 0U);
}

} // namespace
} // namespace mapscope
