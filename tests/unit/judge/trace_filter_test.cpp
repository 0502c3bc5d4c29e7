// Which events pass: each option on its own, all together, and what the options may not say.
#include "judge/trace_filter.h"

#include <gtest/gtest.h>

#include "unit/report/trace_fixture.h"

namespace mapscope {
namespace {

TraceFilter filter_of(const TraceFilterText &text) {
  auto filter = TraceFilter::parse(text);
  EXPECT_TRUE(filter) << filter.error().message();
  return filter ? *filter : TraceFilter{};
}

std::string error_of(const TraceFilterText &text) {
  auto filter = TraceFilter::parse(text);
  if (filter)
    return "accepted";
  EXPECT_EQ(filter.error().code(), Errc::usage);
  return filter.error().message();
}

TraceEvent mmap_event() { return call_event(TraceKind::memory_call, mmap_call()); }
TraceEvent write_event() { return call_event(TraceKind::file_call, write_call()); }

TEST(TraceFilterTest, LetsEverythingPassUnasked) {
  TraceFilter filter = filter_of({});
  for (const TraceEvent &event : {created_event(), heap_event(), mmap_event(), misuse_event(),
                                  process_event(TraceKind::process_exec, {})})
    EXPECT_TRUE(filter.passes(event)) << name_of(event.kind);
}

TEST(TraceFilterTest, OnlyTakesKindsAndCallsInAnyMixture) {
  TraceFilter filter = filter_of({.only = {"grow,munmap", "process"}});
  EXPECT_TRUE(filter.passes(grown_event()));
  EXPECT_TRUE(filter.passes(process_event(TraceKind::process_exec, {})));
  EXPECT_TRUE(filter.passes(process_event(TraceKind::process_exit, {})));
  EXPECT_TRUE(filter.passes(outside_event("munmap", {1, 2}, 0)));
  EXPECT_FALSE(filter.passes(mmap_event()));
  EXPECT_FALSE(filter.passes(split_event()));
  EXPECT_FALSE(filter.passes(write_event()));
  EXPECT_TRUE(filter.wants(TraceKind::memory_call));
  EXPECT_TRUE(filter.wants(TraceKind::map_grown));
  EXPECT_FALSE(filter.wants(TraceKind::map_created));
  EXPECT_FALSE(filter.wants(TraceKind::file_call));
}

TEST(TraceFilterTest, MemoryTakesEveryMemoryCall) {
  TraceFilter filter = filter_of({.only = {"memory"}});
  EXPECT_TRUE(filter.passes(mmap_event()));
  EXPECT_FALSE(filter.passes(write_event()));
}

TEST(TraceFilterTest, MinBytesTakesWhatAsksForSoMuch) {
  TraceFilter filter = filter_of({.min_bytes = "4MiB"});
  EXPECT_EQ(filter.min_bytes(), std::uint64_t{4} << 20);
  EXPECT_TRUE(filter.passes(mmap_event()));
  EXPECT_TRUE(filter.passes(heap_event()));
  EXPECT_FALSE(filter.passes(large_event()));
  EXPECT_FALSE(filter.passes(grown_event()));
  EXPECT_FALSE(filter.passes(outside_event("munmap", {1, 4096}, 0)));
  EXPECT_TRUE(filter.passes(outside_event("brk", {1}, 1))) << "has no length";
  EXPECT_TRUE(filter.passes(misuse_event())) << "is not about bytes";
  EXPECT_TRUE(filter.passes(write_event()));

  TraceEvent untold = grown_event();
  std::get<MapChange>(untold.what).bytes.reset();
  EXPECT_FALSE(filter_of({.min_bytes = "1"}).passes(untold));
}

TEST(TraceFilterTest, BytesComeInBinaryUnits) {
  EXPECT_EQ(filter_of({.min_bytes = "4096"}).min_bytes(), 4096u);
  EXPECT_EQ(filter_of({.min_bytes = "4096B"}).min_bytes(), 4096u);
  EXPECT_EQ(filter_of({.min_bytes = "64KiB"}).min_bytes(), 65'536u);
  EXPECT_EQ(filter_of({.min_bytes = "2GiB"}).min_bytes(), std::uint64_t{2} << 30);
  for (auto text : {"", "KiB", "-1", "1.5MiB", "1 KiB", "4k", "99999999999999999999",
                    "18446744073709551615KiB"})
    EXPECT_TRUE(error_of({.min_bytes = text}).starts_with("--min-bytes")) << text;
}

TEST(TraceFilterTest, MapTakesOneMap) {
  TraceFilter filter = filter_of({.map = "0xc000012340"});
  EXPECT_EQ(filter.map(), ProcessAddress{0xc000012340});
  EXPECT_TRUE(filter.passes(grown_event()));
  EXPECT_TRUE(filter.passes(misuse_event()));
  EXPECT_FALSE(filter.passes(created_event())) << "does not tell its map";
  EXPECT_FALSE(filter.passes(heap_event()));
  EXPECT_FALSE(filter_of({.map = "0xc000012341"}).passes(grown_event()));
  for (auto text : {"", "c000012340", "0x", "0xzz", "0x0", "0x1ffffffffffffffff"})
    EXPECT_TRUE(error_of({.map = text}).starts_with("--map")) << text;
}

TEST(TraceFilterTest, TypeIsAPartOrAPattern) {
  for (auto text : {"map[string]int", "string", "map[*", "*]int", "map[*]int", "m*p[str*t", "*"})
    EXPECT_TRUE(filter_of({.type = text}).passes(grown_event())) << text;
  for (auto text : {"map[s]", "string*", "*]in", "map[*]int64", "m*x*t"})
    EXPECT_FALSE(filter_of({.type = text}).passes(grown_event())) << text;
  EXPECT_FALSE(filter_of({.type = "*"}).passes(heap_event())) << "has no type";
  TraceEvent untold = grown_event();
  std::get<MapChange>(untold.what).type = nullptr;
  EXPECT_FALSE(filter_of({.type = "*"}).passes(untold));
}

TEST(TraceFilterTest, SiteIsAPartOfFunctionOrLine) {
  for (auto text : {"main.put", "put", "main.go:12", "/src/app/"})
    EXPECT_TRUE(filter_of({.site = text}).passes(grown_event())) << text;
  EXPECT_TRUE(filter_of({.site = "main.put"}).passes(mmap_event())) << "calls have a site too";
  EXPECT_FALSE(filter_of({.site = "main.fill"}).passes(grown_event()));
  EXPECT_FALSE(filter_of({.site = "main.go:31"}).passes(grown_event()));
  EXPECT_FALSE(filter_of({.site = "main"}).passes(outside_event("munmap", {}, 0)));
}

TEST(TraceFilterTest, AllThatIsAskedMustHold) {
  TraceFilterText text{.only = {"grown"}, .min_bytes = "1KiB", .type = "string", .site = "put"};
  EXPECT_TRUE(filter_of(text).passes(grown_event()));
  text.site = "other";
  EXPECT_FALSE(filter_of(text).passes(grown_event()));
}

TEST(TraceFilterTest, UnknownWordsAreRefusedWithThoseThatAreKnown) {
  for (auto text : {"grwon", "", "grown,", ",grown", "write", "GROWN"}) {
    std::string error = error_of({.only = {text}});
    EXPECT_TRUE(error.starts_with("--only")) << text << ": " << error;
    EXPECT_TRUE(error.contains("rehashed")) << error;
  }
}

} // namespace
} // namespace mapscope
