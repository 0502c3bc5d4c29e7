// The types of maps against programs that know them: the truth is never ruled out, and what is said
// to be exact is.
#include "heap/type_check.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "heap/census.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::TrueMap;

struct Build {
  std::string version, mode;

  std::string path(const std::string &program) const {
    return fmt::format("{}/build/workloads/{}/{}/{}", SOURCE_DIRECTORY, version, mode, program);
  }
  std::string name() const {
    std::string name = "Go" + version + "_" + mode;
    std::ranges::replace(name, '.', '_');
    return name;
  }
};

class TypeCheckTest : public ::testing::TestWithParam<Build> {
protected:
  void start(const std::string &name, const std::vector<std::string> &arguments) {
    std::string path = GetParam().path(name);
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << path << " is not built; tools/build-workloads does that";
    program_ = std::make_unique<CensusProgram>(path, arguments);
    ASSERT_TRUE(program_->is_ready());
  }

  CensusProgram &program() { return *program_; }
  Result<Census> take(const CensusOptions &options = {}) {
    return take_census(program_->memory(), program_->anchors, program_->facts, options);
  }

private:
  std::unique_ptr<CensusProgram> program_;
};

std::vector<std::string> names_of(const Census &census, const MapSample &map) {
  std::vector<std::string> names;
  for (std::uint32_t type : census.type_sets[map.types])
    names.push_back(census.types[type].type.name);
  return names;
}

std::string listed(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

TEST_P(TypeCheckTest, TheTruthIsNeverRuledOutAndWhatIsExactIsTrue) {
  ASSERT_NO_FATAL_FAILURE(start("types", {}));
  if (IsSkipped())
    return;
  auto census = take();
  ASSERT_TRUE(census) << census.error().message();
  std::uint64_t exact = 0, filled = 0, proved = 0, found = 0;
  for (std::size_t i = 0; i < census->maps.size(); ++i) {
    MapSample map = census->maps[i];
    auto truth = program().maps.find(map.address.value);
    if (truth == program().maps.end())
      continue;
    ++found;
    if (map.bytes.cells == 0)
      continue; // without contents there is nothing to tell
    auto names = names_of(*census, map);
    EXPECT_NE(std::ranges::find(names, truth->second.type), names.end())
        << truth->second.type << " of " << map.len << " is none of: " << listed(names);
    exact += names.size() == 1;
    filled += map.len > 0;
    proved += map.evidence == MapEvidence::proved;
    if (map.len > 0) {
      EXPECT_EQ(map.evidence, MapEvidence::proved) << truth->second.type << " of " << map.len;
    }
  }
  EXPECT_EQ(found, program().maps.size());
  EXPECT_EQ(proved, filled);
  RecordProperty("exact", std::to_string(exact));
  fmt::print("{} maps, {} not empty, {} proved, {} exact\n", found, filled, proved, exact);
}

// The maps change as fast as two goroutines can, and so what is read is torn at times.
TEST_P(TypeCheckTest, NoMapThatChangesLosesItsType) {
  constexpr int kCensuses = 5;
  ASSERT_NO_FATAL_FAILURE(start("types", {"-mutate", "2"}));
  if (IsSkipped())
    return;
  std::uint64_t found = 0, ruled_out = 0, unsettled = 0;
  for (int i = 0; i < kCensuses; ++i) {
    auto census = take();
    ASSERT_TRUE(census) << census.error().message();
    unsettled += census->counts.unsettled_count;
    for (std::size_t j = 0; j < census->maps.size(); ++j) {
      MapSample map = census->maps[j];
      auto truth = program().maps.find(map.address.value);
      if (truth == program().maps.end())
        continue;
      ++found;
      auto names = names_of(*census, map);
      ruled_out += !names.empty() && std::ranges::find(names, truth->second.type) == names.end();
      EXPECT_FALSE(names.size() == 1 && names.front() != truth->second.type)
          << truth->second.type << " of " << map.len << " is said to be " << names.front();
    }
  }
  EXPECT_EQ(ruled_out, 0u);
  EXPECT_GE((found + unsettled) * 100, program().maps.size() * kCensuses * 99);
}

// Keys and elements above 128 bytes lie in objects of their own.
TEST_P(TypeCheckTest, CountsKeysAndElementsThatAreHeldByPointer) {
  ASSERT_NO_FATAL_FAILURE(start("types", {"-large"}));
  if (IsSkipped())
    return;
  auto census = take();
  ASSERT_TRUE(census) << census.error().message();
  double bytes = 0, truth = static_cast<double>(program().bytes);
  for (std::size_t i = 0; i < census->maps.size(); ++i)
    if (MapSample map = census->maps[i]; program().maps.contains(map.address.value))
      bytes += static_cast<double>(map.bytes.total());
  EXPECT_LT(std::abs(bytes - truth) / truth, 0.0001) << bytes - truth << " of " << truth;
}

TEST_P(TypeCheckTest, NoStrangerIsProved) {
  ASSERT_NO_FATAL_FAILURE(start("census", {"-n", "1000", "-noise", "500"}));
  if (IsSkipped())
    return;
  auto census = take();
  ASSERT_TRUE(census) << census.error().message();
  std::map<std::string, int> proved;
  for (std::size_t i = 0; i < census->maps.size(); ++i)
    if (MapSample map = census->maps[i]; map.evidence == MapEvidence::proved)
      if (auto noise = program().noise.find(map.address.value);
          noise != program().noise.end() && noise->second != "copy")
        ++proved[noise->second];
  for (const auto &[look, count] : proved)
    ADD_FAILURE() << count << " objects of class " << look << " were proved to be maps";
}

// With keys that are not those of the process, every map would look like a stranger.
TEST_P(TypeCheckTest, WrongHashKeysProveAndRefuteNothing) {
  ASSERT_NO_FATAL_FAILURE(start("types", {}));
  if (IsSkipped())
    return;
  ASSERT_NE(program().anchors.hash_keys.value, 0u);
  program().anchors.hash_keys = program().anchors.types.start;
  auto census = take();
  ASSERT_TRUE(census) << census.error().message();
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < census->maps.size(); ++i) {
    MapSample map = census->maps[i];
    EXPECT_NE(map.evidence, MapEvidence::proved);
    auto truth = program().maps.find(map.address.value);
    if (truth == program().maps.end())
      continue;
    ++found;
    auto names = names_of(*census, map);
    EXPECT_TRUE(map.bytes.cells == 0 || std::ranges::find(names, truth->second.type) != names.end())
        << truth->second.type << " is none of: " << listed(names);
  }
  EXPECT_EQ(found, program().maps.size());
}

INSTANTIATE_TEST_SUITE_P(Programs, TypeCheckTest,
                         ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.19.13", "plain"},
                                           Build{"1.21.13", "plain"}, Build{"1.22.12", "plain"},
                                           Build{"1.23.12", "plain"}, Build{"1.24.13", "plain"},
                                           Build{"1.25.14", "plain"}, Build{"1.26.8", "plain"},
                                           Build{"1.27.4", "plain"}, Build{"1.21.13", "pie"},
                                           Build{"1.27.4", "stripped"}),
                         [](const auto &parameter) { return parameter.param.name(); });

} // namespace
} // namespace mapscope
