// Schemas mapscope.maps/1 and mapscope.map/1.
#include "report/maps_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/report/maps_fixture.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

TEST(MapsJsonTest, IsOneDocumentInOneLine) {
  std::string text = maps_json(maps_report());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  Json document = Json::parse(text);
  EXPECT_EQ(document["schema"], "mapscope.maps/1");
  EXPECT_EQ(document["process"], Json::parse(R"({"pid": 4711, "exe": "/srv/app",
      "go_version": "go1.26.8", "map_implementation": "swiss"})"));
  EXPECT_EQ(document["time"], "2026-11-21T18:25:10Z");
  EXPECT_EQ(document["heap"]["live_bytes"], 4 << 20);
  EXPECT_EQ(document["heap"]["limit_bytes"], nullptr);
  EXPECT_EQ(document["heap"]["size_classes"].size(), 3U);
  EXPECT_EQ(document["totals"]["maps"], 3);
  EXPECT_EQ(document["totals"]["unsettled"], 3);
  EXPECT_EQ(document["counts"]["rejected"], 10);
  EXPECT_EQ(document["plausible"]["maps"], 2);
  EXPECT_EQ(document["not_seen"].size(), 4U);
  EXPECT_EQ(document["maps"].size(), 3U);
  EXPECT_EQ(document["selected"], 5);
}

TEST(MapsJsonTest, TellsAMapInNumbersAndWords) {
  Json map = Json::parse(maps_json(maps_report()))["maps"][0];
  EXPECT_EQ(map["address"], "0xc000010000");
  EXPECT_EQ(map["type"], "map[int]int");
  EXPECT_EQ(map["type_certainty"], "exact");
  EXPECT_EQ(map["evidence"], "proved");
  EXPECT_EQ(map["location"], "heap");
  EXPECT_EQ(map["len"], 10);
  EXPECT_EQ(map["slots"], 131'072);
  EXPECT_NEAR(map["fill"].get<double>(), 10.0 / 131'072, 1e-9);
  EXPECT_EQ(map["tombstones"], 5);
  EXPECT_EQ(map["cause"], "emptied");
  EXPECT_EQ(map["history"]["has_grown"], true);
  EXPECT_EQ(map["owner"], nullptr);
  std::uint64_t sum = 0;
  for (const auto &[cause, bytes] : map["bytes_by_cause"].items())
    sum += bytes.get<std::uint64_t>();
  EXPECT_EQ(map["bytes"], sum);
  EXPECT_EQ(map["bytes_by_cause"].size(), 11U);
  EXPECT_EQ(map["rebuilt_bytes"], 376);
}

TEST(MapsJsonTest, WhatIsNotKnownIsNull) {
  Json document = Json::parse(maps_json(maps_report()));
  Json several = document["maps"][1], unknown = document["maps"][2];
  EXPECT_EQ(several["type"], nullptr);
  EXPECT_EQ(several["type_candidates"], (Json{"map[int]int", "map[int]uint", "map[uint]int"}));
  EXPECT_EQ(several["bytes_by_cause"]["padding"], nullptr);
  EXPECT_EQ(several["bytes_by_cause"]["entries"], nullptr);
  EXPECT_EQ(several["rebuilt_bytes"], nullptr);
  EXPECT_EQ(several["cause"], nullptr);
  EXPECT_EQ(unknown["type_certainty"], "unknown");
  EXPECT_EQ(unknown["fill"], nullptr);
  EXPECT_EQ(unknown["location"], "stack");

  Json nothing = Json::parse(maps_json(MapsReport{}));
  EXPECT_EQ(nothing["process"]["pid"], nullptr);
  EXPECT_EQ(nothing["process"]["map_implementation"], nullptr);
  EXPECT_EQ(nothing["time"], nullptr);
  EXPECT_EQ(nothing["totals"]["resident_bytes"], nullptr);
}

TEST(MapsJsonTest, ResidencyThatNobodyAskedForIsNull) {
  MapsReport report = maps_report();
  report.totals.resident_bytes.reset();
  EXPECT_EQ(Json::parse(maps_json(report))["maps"][0]["resident_bytes"], nullptr);
}

TEST(MapsJsonTest, ManyMapsComeInPiecesThatAreOneDocument) {
  MapsReport report = maps_report();
  report.maps.assign(1000, emptied_map());
  std::string text;
  std::size_t pieces = 0;
  write_maps_json(report, [&](std::string_view piece) {
    text += piece;
    ++pieces;
    EXPECT_LE(piece.size(), 70'000U);
  });
  EXPECT_GT(pieces, 10U);
  EXPECT_EQ(Json::parse(text)["maps"].size(), 1000U);
}

TEST(MapsJsonTest, GroupsHaveTotalsOfTheirOwn) {
  MapsReport report = maps_report();
  report.groups = {
      {.type = "map[int]int", .certainty = TypeCertainty::exact, .totals = report.totals},
      {.type = "map[int]_",
       .certainty = TypeCertainty::candidate,
       .candidates = {"map[int]int", "map[int]uint"},
       .candidate_count = 2}};
  Json groups = Json::parse(maps_json(report))["groups"];
  EXPECT_EQ(groups[0]["type"], "map[int]int");
  EXPECT_EQ(groups[0]["bytes"], 2'364'656);
  EXPECT_EQ(groups[1]["type"], nullptr);
  EXPECT_EQ(groups[1]["type_candidates"].size(), 2U);
}

TEST(MapJsonTest, TellsOneMapInFull) {
  MapTypeLayout layout = emptied_layout();
  Json document = Json::parse(map_explanation_json(maps_report(), map_explanation(layout)));
  EXPECT_EQ(document["schema"], "mapscope.map/1");
  EXPECT_EQ(document["map"]["address"], "0xc000010000");
  EXPECT_EQ(document["anatomy"]["objects"][2]["count"], 128);
  EXPECT_EQ(document["anatomy"]["objects"][2]["part"], "groups");
  EXPECT_EQ(document["anatomy"]["tables"].size(), 20U);
  EXPECT_EQ(document["anatomy"]["table_count"], 128);
  EXPECT_EQ(document["anatomy"]["fill"], (Json{16'374, 10, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(document["anatomy"]["payload"]["error_bytes"], 120);
  EXPECT_EQ(document["type_layout"]["entry_padding_bytes"], 14);
  EXPECT_EQ(document["type_layout"]["element"]["fields"][1]["name"], "id");

  MapExplanation unknown{.map = map_of_several_types()};
  Json rest = Json::parse(map_explanation_json(maps_report(), unknown));
  EXPECT_EQ(rest["type_layout"], nullptr);
  EXPECT_EQ(rest["anatomy"]["payload"], nullptr);
  EXPECT_EQ(rest["anatomy"]["resident_pages"], nullptr);
}

} // namespace
} // namespace mapscope
