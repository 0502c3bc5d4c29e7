// Maps without contents that typed objects point to, against a program that knows their types.
#include "heap/map_references.h"

#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "heap/census.h"
#include "heap/census_memory.h"
#include "support/census_program.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

class MapReferencesTest : public ::testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    path_ = built({"tests/fixtures/map_references", ".", "map_references-" + GetParam()},
                  GetParam(), "", "-trimpath");
    if (!path_)
      GTEST_SKIP() << "Go " << GetParam() << " can't be had";
  }

  // What is wrong of the maps that the program named; nothing: a line each.
  static void expect_told(const Census &census, const CensusProgram &program) {
    std::map<std::uint64_t, MapSample> maps;
    for (std::size_t i = 0; i < census.maps.size(); ++i)
      maps[census.maps[i].address.value] = census.maps[i];
    for (const auto &[address, type] : program.noise) {
      ASSERT_TRUE(maps.contains(address)) << std::hex << address << " " << type;
      const MapSample &map = maps[address];
      if (type == "loose") {
        EXPECT_EQ(map.evidence, MapEvidence::plausible) << std::hex << address;
        continue;
      }
      EXPECT_EQ(map.evidence, MapEvidence::referenced) << std::hex << address << " " << type;
      const auto &types = census.type_sets[map.types];
      ASSERT_EQ(types.size(), 1u) << std::hex << address << " " << type;
      EXPECT_EQ(census.types[types[0]].type.name, type) << std::hex << address;
    }
  }

  const std::string &path() const { return *path_; }

private:
  std::optional<std::string> path_;
};

TEST_P(MapReferencesTest, TellWhatContentsCanNot) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  ASSERT_EQ(program.noise.size(), 100u + 5000 + 5 * 50 + 500 + 4);
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();
  expect_told(*census, program);
}

TEST_P(MapReferencesTest, AreRememberedForTheNextCensus) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  CensusMemory memory;
  for (int i = 0; i < 2; ++i) {
    auto census =
        take_census(program.memory(), program.anchors, program.facts, {.memory = &memory});
    ASSERT_TRUE(census) << census.error().message();
    expect_told(*census, program);
  }
}

// The word that pointed to a map is not believed of another one.
TEST_P(MapReferencesTest, AreForgottenWithTheMap) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  CensusMemory memory;
  ASSERT_TRUE(take_census(program.memory(), program.anchors, program.facts, {.memory = &memory}));
  ASSERT_FALSE(memory.references.found.empty());
  for (ReferencedMap &map : memory.references.found)
    map.seed ^= 1;
  memory.references.left_count = 1 << 20; // nothing is searched for
  auto census = take_census(program.memory(), program.anchors, program.facts, {.memory = &memory});
  ASSERT_TRUE(census) << census.error().message();
  for (std::size_t i = 0; i < census->maps.size(); ++i)
    EXPECT_NE(census->maps[i].evidence, MapEvidence::referenced);
}

INSTANTIATE_TEST_SUITE_P(Releases, MapReferencesTest,
                         ::testing::Values("1.22.12", "1.23.12", "1.24.13", "1.26.8", "1.27.4"),
                         [](const auto &test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
