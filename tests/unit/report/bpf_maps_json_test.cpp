// Keys of mapscope.bpf_maps/1 as docs/json.md has them.
#include "report/bpf_maps_json.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/report/bpf_maps_fixture.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

TEST(BpfMapsJsonTest, OneLineThatIsADocument) {
  const std::string text = bpf_maps_json(bpf_report());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const Json json = Json::parse(text);
  EXPECT_EQ(json["schema"], "mapscope.bpf_maps/1");
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["totals"]["own_maps"], 1);
  EXPECT_EQ(json["selected"], 4);
  ASSERT_EQ(json["maps"].size(), 3u);
  EXPECT_EQ(json["problems"].size(), 1u);
}

TEST(BpfMapsJsonTest, AMapThatIsKnown) {
  const Json map = Json::parse(bpf_maps_json(bpf_report()))["maps"][0];
  EXPECT_EQ(map["id"], 42);
  EXPECT_EQ(map["entries"], 51'200);
  EXPECT_EQ(map["entries_method"], "counted");
  EXPECT_EQ(map["fill"], 0.78125);
  EXPECT_EQ(map["memory_bytes"], 5 << 20);
  EXPECT_EQ(map["frozen"], false);
  EXPECT_EQ(map["programs"][0]["name"], "count_flows");
  EXPECT_EQ(map["holders"][0]["pid"], 815);
  EXPECT_EQ(map["rates"]["system_lookups"]["method"], "counted");
  EXPECT_EQ(map["rates"]["system_lookups"]["per_second"], 310);
  EXPECT_EQ(map["rates"]["program_lookups"]["lower"], 500);
  EXPECT_EQ(map["rates"]["program_lookups"]["upper"], 2'000);
  EXPECT_TRUE(map["rates"]["program_updates"]["upper"].is_null());
  EXPECT_EQ(map["rates"]["insert_failures"]["E2BIG"], 2);
  EXPECT_EQ(map["time_to_full"]["seconds"], 7'200);
  EXPECT_EQ(map["advice"][0], "be careful");
}

TEST(BpfMapsJsonTest, WhatIsNotKnownIsNull) {
  const Json map = Json::parse(bpf_maps_json(bpf_report()))["maps"][2];
  for (const char *key :
       {"entries", "used_bytes", "fill", "error", "memory_bytes", "btf_id", "key_type", "frozen",
        "owner", "created_before", "rates", "time_to_full", "keys", "problem"})
    EXPECT_TRUE(map[key].is_null()) << key << " is " << map[key];
  EXPECT_EQ(map["entries_method"], "unknown");
  EXPECT_EQ(map["own"], true);
}

// Bytes are no entries: a ring buffer has a fill, and no number of entries.
TEST(BpfMapsJsonTest, ARingBufferHasUsedBytes) {
  const Json map = Json::parse(bpf_maps_json(bpf_report()))["maps"][1];
  EXPECT_TRUE(map["entries"].is_null());
  EXPECT_EQ(map["entries_method"], "unknown");
  EXPECT_EQ(map["used_bytes"], 2'621);
  EXPECT_EQ(map["fill"], 0.01);
  EXPECT_EQ(map["fill_method"], "counted");
}

TEST(BpfMapsJsonTest, NumbersThatAreNoneAreNull) {
  BpfMapsReport report = bpf_report();
  report.rows[0].map.fill.fill = std::numeric_limits<double>::quiet_NaN();
  report.rows[0].map.rates->program_lookups.upper = std::numeric_limits<double>::infinity();
  const Json map = Json::parse(bpf_maps_json(report))["maps"][0];
  EXPECT_TRUE(map["fill"].is_null());
  EXPECT_TRUE(map["rates"]["program_lookups"]["upper"].is_null());
}

TEST(BpfMapsJsonTest, OneMapInFull) {
  BpfMapsReport report = bpf_report();
  report.rows.resize(1);
  const Json json = Json::parse(bpf_map_explanation_json(report));
  EXPECT_EQ(json["schema"], "mapscope.bpf_map/1");
  EXPECT_EQ(json["map"]["name"], "flow_table");
}

} // namespace
} // namespace mapscope
