// MapRules against what the runtime of several releases counted itself.
#include "go/map_rules.h"

#include <charconv>
#include <string_view>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

struct Measured {
  std::string_view release, what, type;
  std::uint64_t number; // the hint; entries before the growth
  std::uint64_t bytes;
};

constexpr Measured kMeasured[] = {
#include "unit/go/map_bytes.inc"
};

BinaryFacts facts_of(std::string_view release) {
  BinaryFacts facts;
  facts.version.major = 1;
  std::from_chars(release.data() + 2, release.data() + 4, facts.version.minor);
  bool is_swiss = facts.version.minor >= 24 && !release.ends_with("noswissmap");
  facts.map_implementation = is_swiss ? MapImplementation::swiss : MapImplementation::classic;
  return facts;
}

// Slots are {int, int}, {string, int}, {int32, struct{} padded}, {string, 96 bytes}; buckets have
// a word for the next one.
MapType type_named(std::string_view name, bool is_swiss) {
  if (name == "map[int]int")
    return {.group_bytes = is_swiss ? 136U : 144U};
  if (name == "map[string]int")
    return {.group_bytes = is_swiss ? 200U : 208U, .group_has_pointers = true};
  if (name == "map[int32]struct {}")
    return {.group_bytes = is_swiss ? 72U : 48U};
  return {.group_bytes = is_swiss ? 904U : 912U, .group_has_pointers = true};
}

Allocation swiss_growth(const MapRules &rules, std::uint64_t len) {
  if (len == 0)
    return rules.first_group();
  if (len == 8)
    return rules.first_table();
  std::uint64_t slots = len / 7 * 8;
  return slots == 1024 ? rules.table_split(2) : rules.table_growth(2 * slots);
}

// Empty: the array is the same, or does not exist yet and is not made by hashGrow.
std::optional<Allocation> classic_growth(const MapRules &rules, std::uint64_t len) {
  for (unsigned log_buckets = 0; log_buckets < 10; ++log_buckets) {
    if (rules.is_over_load_factor(len + 1, log_buckets) &&
        !rules.is_over_load_factor(len, log_buckets))
      return rules.bucket_growth(log_buckets + 1, MapRules::has_spare_buckets(log_buckets));
  }
  return std::nullopt;
}

TEST(MapRulesTest, AgreesWithWhatTheRuntimeCounts) {
  std::size_t compared = 0;
  for (const Measured &measured : kMeasured) {
    SCOPED_TRACE(fmt::format("{} {} {} {}", measured.release, measured.what, measured.type,
                             measured.number));
    BinaryFacts facts = facts_of(measured.release);
    MapRules rules{facts};
    bool is_swiss = facts.map_implementation == MapImplementation::swiss;
    MapType type = type_named(measured.type, is_swiss);
    std::optional<Allocation> allocation;
    if (measured.what == "create")
      allocation = rules.creation(measured.number, true)->allocation;
    else
      allocation =
          is_swiss ? swiss_growth(rules, measured.number) : classic_growth(rules, measured.number);
    if (!allocation)
      continue;
    ++compared;
    EXPECT_EQ(rules.bytes(*allocation, &type), measured.bytes);
  }
  EXPECT_GT(compared, 300U);
}

TEST(MapRulesTest, AHeaderOnTheStackAsksForNothing) {
  MapRules rules{facts_of("1.27.4")};
  EXPECT_EQ(rules.bytes(rules.creation(8, false)->allocation, nullptr), 0U);
  EXPECT_EQ(rules.bytes(rules.creation(8, true)->allocation, nullptr), 48U);
}

TEST(MapRulesTest, WithoutATypeTheSizeOfGroupsIsUnknown) {
  MapRules rules{facts_of("1.27.4")};
  EXPECT_EQ(rules.bytes(rules.first_group(), nullptr), std::nullopt);
  MapType absurd{.group_bytes = std::uint64_t{1} << 60};
  EXPECT_EQ(rules.bytes(rules.first_group(), &absurd), std::nullopt);
}

TEST(MapRulesTest, AHintThatTheRuntimeMayDropIsNotBelieved) {
  for (auto release : {"1.23.12", "1.27.4"}) {
    MapRules rules{facts_of(release)};
    EXPECT_FALSE(rules.creation(~std::uint64_t{0}, true)) << release; // a negative one
    EXPECT_TRUE(rules.creation(std::uint64_t{1} << 32, true)) << release;
  }
}

TEST(MapRulesTest, CreationTellsSlotsAndTables) {
  MapRules rules{facts_of("1.26.8")};
  auto map = rules.creation(1000, true); // 1142 slots wanted: two tables of 1024
  ASSERT_TRUE(map);
  EXPECT_EQ(map->slots, 2048U);
  EXPECT_EQ(map->tables, 2U);
  EXPECT_EQ(rules.creation(8, true)->slots, 0U);
  EXPECT_EQ(MapRules{facts_of("1.23.12")}.creation(53, true)->slots, 128U);
  EXPECT_EQ(MapRules{facts_of("1.21.13")}.creation(49, true)->slots, 128U);
}

} // namespace
} // namespace mapscope
