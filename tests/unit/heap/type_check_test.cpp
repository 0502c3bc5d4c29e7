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
