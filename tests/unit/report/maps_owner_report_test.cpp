// Who holds a map and which lines made it grow, as people and machines read it.
#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "report/maps_json.h"
#include "report/maps_owner_words.h"
#include "report/maps_text.h"
#include "unit/report/maps_fixture.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

void expect_parts(const std::string &text, std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "missing:\n" << part << "in:\n" << text;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
  }
}

MapExplanation explanation_of(const JudgedMap &map) {
  MapExplanation explanation{.map = map};
  explanation.owner_steps = {{.text = "main.store",
                              .type = "*main.Cache",
                              .object = {0x5a1230},
                              .evidence = StepEvidence::dwarf},
                             {.type = "main.Cache",
                              .word = {0x5a1230},
                              .object = {0xc000abc000},
                              .evidence = StepEvidence::malloc_header},
                             {.text = "*Cache.shards[3].entries",
                              .type = "map[int]int",
                              .word = {0xc000abc018},
                              .object = {0xc000010000},
                              .evidence = StepEvidence::static_type}};
  return explanation;
}

TEST(MapsOwnerTextTest, EachMapTellsWhoHoldsItAndWhereItGrew) {
  expect_parts(maps_text(maps_report_with_owners(), false),
               {
                   R"(
  0xc000010000  map[int]int
  held by main.store -> *Cache.shards[].entries
  grew at main.fill main.go:41 (3 samples)
  written by main.put main.go:52 (900 of 1,000 writes seen)
  -> after emptying it:)",
                   R"(
  held by nothing: garbage that the next collection frees
  maps alike grew at main.fill main.go:41 (3 of 4 samples, 1 elsewhere)
  maps alike were made at main.load main.go:60 (1 sample)
)",
                   "\n  held by the stack of main.worker\n"});
}

TEST(MapsOwnerTextTest, GarbageIsToldWhereTheWholeGraphWasWalked) {
  MapsReport report = maps_report_with_owners();
  const std::string_view garbage =
      "\ngarbage      1 of 3 maps are garbage that the next collection frees: 192 B\n";
  expect_parts(maps_text(report, false), {garbage});
  report.owners.is_complete = false;
  EXPECT_EQ(maps_text(report, false).find("garbage      "), std::string::npos);
}

TEST(MapsOwnerTextTest, TheFooterSaysWhatTheLookCostAndDidNotReach) {
  MapsReport report = maps_report_with_owners();
  report.owners.stopped_by = "the walk took all of its 30 s";
  report.learned = LearnedWrites{.hits = 12'345,
                                 .lost = 1,
                                 .flash_count = 20,
                                 .attached_ns = 400'000'000,
                                 .duration_ns = 10'000'000'000};
  expect_parts(maps_text(report, false), {R"(
owners       2 maps reached through 1,000 objects, 99% of known type; 5.00 MiB
             read, 12.0 ms of CPU
not reached  the walk took all of its 30 s
not seen     4 maps changed, or what leads to it did, while owners were looked
             for: without an owner
not seen     1 goroutine running while owners were looked for: what only it
             holds has none
sites        from 6 sampled objects that are alive, parts of 1 map among them;
             the program samples an allocation every 512 KiB
learned from 12,345 writes in 10.0 s; probes were placed 20 times for 400 ms in
             all; no room for 1 more
)"});
}

TEST(MapsOwnerTextTest, AProgramWithoutSamplesIsSaidToBeOne) {
  MapsReport report = maps_report_with_owners();
  report.sites = {.was_read = true, .is_rate_known = true};
  expect_parts(maps_text(report, false), {R"(
sites        the program takes no samples of its allocations: nothing in it asks
             for its memory profile
)"});
}

TEST(MapsOwnerTextTest, GroupsByOwnerAndSite) {
  MapsReport report = maps_report_with_owners();
  report.group_by = MapGroupBy::owner;
  report.groups = {{.type = "map[int]int",
                    .certainty = TypeCertainty::exact,
                    .owner = owner_of_entries(),
                    .totals = report.totals},
                   {.owner = {.reach = Reach::unreachable}, .totals = report.totals},
                   {.totals = report.totals}};
  expect_parts(maps_text(report, false), {R"(
RECLAIMABLE    BYTES RESIDENT     MAPS     ENTRIES FILL        OWNER
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #.....
  main.store -> *Cache.shards[].entries
  map[int]int
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #.....
  nothing: garbage that the next collection frees
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #..... not known
)"});

  report.group_by = MapGroupBy::site;
  report.groups = {{.site = frame_of("main.fill", 41), .totals = report.totals},
                   {.totals = report.totals}};
  expect_parts(maps_text(report, false), {R"(FILL        SITE
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #.....
  main.fill main.go:41
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #..... no site known
)"});
}

TEST(MapsOwnerTextTest, ExplainsThePathStepByStep) {
  MapsReport report = maps_report_with_owners();
  expect_parts(map_explanation_text(report, explanation_of(report.maps[0]), false), {R"(
owner
path         main.store -> *Cache.shards[].entries
root         a package variable
holder       main.store.shards[].entries
  main.store                     *main.Cache
    0x5a1230: the variable's type, by DWARF
  what it points to              main.Cache
    0x5a1230 to 0xc000abc000: by what the heap says of the object
  *Cache.shards[3].entries       map[int]int
    0xc000abc018 to 0xc000010000: by the type of what holds it

sites, by 3 samples of this map
        3 100%  grew at main.fill main.go:41

writes: 1,000 seen
      900  90%  by main.put main.go:52
      100  10%  by main.fill main.go:41

bytes by cause
)"});
  expect_parts(map_explanation_text(report, {.map = report.maps[1]}, false), {R"(
owner
path         nothing: garbage that the next collection frees

sites, by 5 samples of maps of its type and owner, none of itself
        3  60%  grew at main.fill main.go:41
        1  20%  grew at main.main main.go:9
        1  20%  made at main.load main.go:60
)"});
}

TEST(MapsOwnerTextTest, NamesFromOutsideSteerNoTerminal) {
  MapsReport report = maps_report_with_owners();
  report.maps[0].owner.path = report.maps[0].owner.holder = "main.\x1b[2J\xff";
  report.maps[0].site.shares[0].frame.function = "\x07";
  report.owners.stopped_by = "\x1b";
  MapExplanation explanation = explanation_of(report.maps[0]);
  explanation.owner_steps[0].text = explanation.owner_steps[0].type = "\x1b\xfe";
  EXPECT_EQ(maps_text(report, false).find_first_of("\x1b\x07\xff"), std::string::npos);
  EXPECT_EQ(map_explanation_text(report, explanation, false).find_first_of("\x1b\x07\xff\xfe"),
            std::string::npos);
}

TEST(MapsOwnerWordsTest, LongPathsLoseTheirMiddle) {
  EXPECT_EQ(cut_middle("main.store.entries", 18), "main.store.entries");
  EXPECT_EQ(cut_middle("main.store.entries", 11), "main...ries");
  EXPECT_EQ(cut_middle("ä→öüäö", 5), "ä...ö");
  EXPECT_EQ(cut_middle("main", 2), "..");
}

TEST(MapsOwnerWordsTest, GrowthTellsMoreOfAMapThanCreation) {
  MapSite site{.shares = {{.frame = frame_of("main.load", 60), .samples = 5}}};
  EXPECT_EQ(main_site(site), &site.shares[0]);
  site.shares.push_back({.frame = frame_of("main.fill", 41), .kind = SiteKind::grew, .samples = 2});
  EXPECT_EQ(main_site(site), &site.shares[1]);
  site.is_of_pattern = true;
  EXPECT_EQ(main_site(site), &site.shares[1]);
  site.shares.push_back({.frame = frame_of("main.main", 9), .kind = SiteKind::grew, .samples = 1});
  EXPECT_EQ(main_site(site), nullptr); // no single line is said of maps alike
  EXPECT_EQ(main_site({}), nullptr);
}

TEST(MapsOwnerJsonTest, AMapTellsOwnerAndSite) {
  Json document = Json::parse(maps_json(maps_report_with_owners()));
  const Json &map = document["maps"][0];
  EXPECT_EQ(map["owner"], "main.store");
  EXPECT_EQ(map["owner_class"], "variable");
  EXPECT_EQ(map["owner_path"], "main.store → *Cache.shards[].entries");
  EXPECT_EQ(map["owner_holder"], "main.store.shards[].entries");
  EXPECT_EQ(map["reachable"], true);
  EXPECT_EQ(map["site"], "main.fill /src/app/main.go:41");
  EXPECT_EQ(map["site_kind"], "grew");
  EXPECT_EQ(map["site_samples"], 3);
  EXPECT_EQ(map["site_of"], "map");
  EXPECT_EQ(map["sites"], Json::parse(R"([{"function": "main.fill", "file": "/src/app/main.go",
      "line": 41, "kind": "grew", "samples": 3}])"));
  EXPECT_EQ(map["written_at"][0], Json::parse(R"({"function": "main.put",
      "file": "/src/app/main.go", "line": 52, "writes": 900})"));
  EXPECT_EQ(document["owners"]["maps_reached"], 2);
  EXPECT_EQ(document["owners"]["complete"], true);
  EXPECT_EQ(document["owners"]["unreachable"]["bytes"], 192);
  EXPECT_EQ(document["sites"]["rate_bytes"], 512 << 10);
  EXPECT_EQ(document["sites"]["uses"][0]["allocated_bytes"], 5000);
  EXPECT_EQ(document["learned"], nullptr);
}

TEST(MapsOwnerJsonTest, OneOfSeveralSitesOfMapsAlikeIsNotSaidOfThisOne) {
  const Json map = Json::parse(maps_json(maps_report_with_owners()))["maps"][1];
  EXPECT_EQ(map["owner"], nullptr);
  EXPECT_EQ(map["reachable"], false);
  EXPECT_EQ(map["site"], nullptr);
  EXPECT_EQ(map["site_samples"], 5);
  EXPECT_EQ(map["site_of"], "pattern");
  EXPECT_EQ(map["sites"].size(), 3U);
}

TEST(MapsOwnerJsonTest, WhatNobodyLookedForIsNull) {
  const Json document = Json::parse(maps_json(maps_report()));
  const Json &map = document["maps"][0];
  for (const char *key :
       {"owner", "owner_class", "owner_path", "owner_holder", "reachable", "site", "site_of"})
    EXPECT_EQ(map[key], nullptr) << key;
  EXPECT_EQ(map["site_samples"], 0);
  EXPECT_EQ(document["owners"]["looked_for"], false);
  EXPECT_EQ(document["sites"]["rate_bytes"], nullptr);
}

TEST(MapsOwnerJsonTest, GroupsTellWhatTheyShare) {
  MapsReport report = maps_report_with_owners();
  report.group_by = MapGroupBy::owner;
  report.groups = {{.owner = owner_of_entries(), .totals = report.totals},
                   {.owner = {.reach = Reach::unreachable}}};
  Json groups = Json::parse(maps_json(report))["groups"];
  EXPECT_EQ(groups[0]["owner_path"], "main.store → *Cache.shards[].entries");
  EXPECT_EQ(groups[1]["owner_path"], nullptr);
  EXPECT_EQ(groups[1]["reachable"], false);
  report.group_by = MapGroupBy::site;
  report.groups = {{.site = frame_of("main.fill", 41)}, {}};
  groups = Json::parse(maps_json(report))["groups"];
  EXPECT_EQ(groups[0]["site"], "main.fill /src/app/main.go:41");
  EXPECT_EQ(groups[1]["site"], nullptr);
  EXPECT_FALSE(groups[0].contains("owner"));
}

TEST(MapsOwnerJsonTest, ExplainsTheSteps) {
  MapsReport report = maps_report_with_owners();
  Json document = Json::parse(map_explanation_json(report, explanation_of(report.maps[0])));
  EXPECT_EQ(document["owner_steps"][0], Json::parse(R"({"step": "main.store",
      "type": "*main.Cache", "word": null, "object": "0x5a1230", "evidence": "dwarf"})"));
  EXPECT_EQ(document["owner_steps"][1]["step"], nullptr);
  EXPECT_EQ(document["owner_steps"][2]["word"], "0xc000abc018");
  EXPECT_EQ(document["owners"]["looked_for"], true);
}

} // namespace
} // namespace mapscope
