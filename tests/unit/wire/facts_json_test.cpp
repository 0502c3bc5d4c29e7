// Facts survive JSON, and nothing else does.
#include "wire/facts_json.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

ProbePoint rehash() {
  return {.function = "internal/runtime/maps.(*table).rehash",
          .entry = {0x401000},
          .size_bytes = 0x100,
          .address = {0x401006},
          .offset = {0x1006},
          .expected = {0x55, 0x48, 0x0b},
          .emulated = true,
          .on_stack_check = true,
          .returns = {{{0x401040}, {0x1040}}, {{0x4010ff}, {0x10ff}}}};
}

BinaryFacts facts() {
  BinaryFacts facts;
  facts.path = "/srv/app";
  facts.build_id = "0123abcd";
  facts.file_size_bytes = 0x8000;
  facts.machine = Machine::arm64;
  facts.is_pie = true;
  facts.entry = {0x401000};
  facts.go_version = "go1.26.8";
  facts.version = {1, 26, 8};
  facts.is_known_release = false;
  facts.experiments = {"nogreenteagc"};
  facts.build_settings = {{"CGO_ENABLED", "1"}};
  facts.uses_cgo = true;
  facts.map_implementation = MapImplementation::swiss;
  facts.text = {{0x401000}, 0x2000};
  facts.tls_offset = -8;
  facts.variables = {{0x501000}, {0x502000}, {}, {0x504000}};
  facts.zeroed_data = {{{0x500000}, 0x8000}, {{0x600000}, 0x10}};
  facts.types = {{0x480000}, 0x9000};
  facts.layout = {LayoutSource::nearest, "go1.26.11", {{"runtime.g.goid", 152}}};
  facts.operations[MAP_OPERATION_REHASH] = {rehash()};
  facts.heap_requests[HEAP_REQUEST_LARGE] = rehash();
  facts.misuse["runtime.throw"] = rehash();
  facts.map_writes = {rehash()};
  facts.inlined_copies = {{"main.a", "main.b", {0x401234}}};
  facts.map_functions = {{"runtime.makemap", {{0x401000}, 0x80}}};
  facts.map_ranges = {{{0x401000}, 0x2000}};
  facts.warnings = {"one sentence"};
  return facts;
}

std::string refusal(const nlohmann::json &json) {
  auto read = facts_from_json(json);
  EXPECT_FALSE(read);
  return read ? "" : read.error().message();
}

TEST(FactsJsonTest, AllComesBackAsItWas) {
  const auto json = facts_to_json(facts());
  const auto back = facts_from_json(json);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(facts_to_json(*back), json);
  EXPECT_EQ(back->tls_offset, -8);
  EXPECT_EQ(back->operations.at(MAP_OPERATION_REHASH).front().expected,
            (std::vector<std::uint8_t>{0x55, 0x48, 0x0b}));
  EXPECT_EQ(back->layout.find("runtime.g.goid"), 152u);
  EXPECT_EQ(back->version, (GoVersion{1, 26, 8}));
  EXPECT_FALSE(back->is_known_release);
  EXPECT_EQ(back->variables, facts().variables);
  EXPECT_EQ(back->zeroed_data, facts().zeroed_data);
  EXPECT_EQ(back->types, facts().types);
}

TEST(FactsJsonTest, KeysAndFormsAreAContract) {
  const auto json = facts_to_json(facts());
  EXPECT_EQ(json["machine"], "arm64");
  EXPECT_EQ(json["map_implementation"], "swiss");
  EXPECT_EQ(json["text"], (nlohmann::json{{"start", "0x401000"}, {"size_bytes", 0x2000}}));
  EXPECT_EQ(json["operations"]["rehash"][0]["expected"], "55480b");
  EXPECT_EQ(json["module_data"], nullptr); // not known
  EXPECT_EQ(facts_to_json(BinaryFacts{})["tls_offset"], nullptr);
}

// They came later than the first recordings.
const std::set<std::string> kAdded{"is_known_release", "map_writes", "types", "variables",
                                   "zeroed_data"};

TEST(FactsJsonTest, EveryFieldIsNeededAndItsTypeChecked) {
  const auto whole = facts_to_json(facts());
  for (const auto &[key, value] : whole.items()) {
    auto without = whole;
    without.erase(key);
    if (!kAdded.contains(key)) {
      EXPECT_NE(refusal(without).find(key), std::string::npos) << key;
    }
    auto mistyped = whole;
    mistyped[key] = 1.5;
    EXPECT_NE(refusal(mistyped).find(key), std::string::npos) << key;
  }
}

TEST(FactsJsonTest, NumbersOutOfRangeAreRefused) {
  auto json = facts_to_json(facts());
  json["version"]["minor"] = 1ULL << 32;
  EXPECT_EQ(refusal(json), "version: minor: 4294967296 is too large");
  json = facts_to_json(facts());
  json["file_size_bytes"] = -1;
  EXPECT_EQ(refusal(json), "file_size_bytes: -1 is out of range");
  json = facts_to_json(facts());
  json["entry"] = "0x1234567890abcdef0";
  EXPECT_EQ(refusal(json), "entry: not an address");
}

TEST(FactsJsonTest, AProbeOutsideOfItsFunctionOrFileIsRefused) {
  const auto with = [](auto change) {
    BinaryFacts changed = facts();
    change(changed.operations[MAP_OPERATION_REHASH].front());
    return refusal(facts_to_json(changed));
  };
  EXPECT_NE(with([](ProbePoint &point) { point.address = {0x401100}; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.address = {0x400fff}; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.entry = {0x3fffff}; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.size_bytes = ~0ULL; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.offset = {0x8000}; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.returns[0].address = {0x401100}; }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.expected.clear(); }), "");
  EXPECT_NE(with([](ProbePoint &point) { point.expected.resize(16); }), "");
}

TEST(FactsJsonTest, AProbeOnWritesOutsideOfItsFunctionIsRefused) {
  BinaryFacts changed = facts();
  changed.map_writes[0].address = {0x401100};
  EXPECT_NE(refusal(facts_to_json(changed)), "");
}

TEST(FactsJsonTest, RangesOutsideOfTextAreRefused) {
  BinaryFacts changed = facts();
  changed.map_ranges = {{{0x402fff}, 2}};
  EXPECT_NE(refusal(facts_to_json(changed)), "");
  changed = facts();
  changed.text.size_bytes = ~0ULL;
  EXPECT_NE(refusal(facts_to_json(changed)), "");
}

TEST(FactsJsonTest, FactsOfAnOldRecordingDoNotKnowWhereTheHeapIs) {
  auto json = facts_to_json(facts());
  for (const std::string &key : kAdded)
    json.erase(key);
  const auto read = facts_from_json(json);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->variables, RuntimeVariables{});
  EXPECT_TRUE(read->zeroed_data.empty());
  EXPECT_TRUE(read->map_writes.empty());
}

TEST(FactsJsonTest, DataThatNoProcessCanHaveIsRefused) {
  const auto with = [](auto change) {
    BinaryFacts changed = facts();
    change(changed);
    return refusal(facts_to_json(changed));
  };
  EXPECT_NE(with([](BinaryFacts &changed) { changed.variables.heap = {1ULL << 63}; }), "");
  EXPECT_NE(with([](BinaryFacts &changed) { changed.zeroed_data[1].size_bytes = ~0ULL; }), "");
  EXPECT_NE(with([](BinaryFacts &changed) { changed.types.start = {~0ULL}; }), "");
}

TEST(FactsJsonTest, TextsComeOutPrintable) {
  auto json = facts_to_json(facts());
  json["main_module"] = "a\x1b[31mb\xff";
  const auto read = facts_from_json(json);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->main_module, "a?[31mb?");
}

} // namespace
} // namespace mapscope
