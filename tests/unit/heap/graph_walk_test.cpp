// The walk over the object graph, against programs that say where their maps are.
#include "heap/owners/graph_walk.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/go_releases.h"
#include "support/walked_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::Walked;

// Of workloads/census, by what its functions fill them with; the program does not name its types.
constexpr const char *kTypes[] = {"map[int32]uint8",         "map[int]int",
                                  "map[interface {}]string", "map[main.point]main.wide",
                                  "map[string]*main.point",  "map[string]int",
                                  "map[uint64]struct {}"};

// The memory of a program, but for one word.
class Changed : public AddressSpace {
public:
  explicit Changed(AddressSpace &space) : space_(space) {}

  Result<> read(std::span<MemoryRead> reads) override {
    TRY(space_.read(reads));
    for (MemoryRead &one : reads)
      if (word - one.address.value < one.into.size())
        std::ranges::fill(one.into.subspan(word - one.address.value).first(8), std::byte{});
    return {};
  }
  Result<std::vector<Mapping>> mappings() override { return space_.mappings(); }

  std::uint64_t word = 0; // is 0; 0: none

private:
  AddressSpace &space_;
};

class GraphWalkTest : public ::testing::TestWithParam<std::string> {
protected:
  // Of tools/build-workloads; empty: not built.
  std::string workload(const std::string &name) {
    std::string path =
        fmt::format("{}/build/workloads/{}/plain/{}", SOURCE_DIRECTORY, GetParam(), name);
    return std::filesystem::exists(path) ? path : "";
  }
};

TEST_P(GraphWalkTest, ReachesEveryMapOfASliceOfInterfaces) {
  const std::string path = workload("census");
  if (path.empty())
    GTEST_SKIP() << "tools/build-workloads --go " << GetParam() << " has not been run";
  CensusProgram program(path, {"-n", "2000"});
  ASSERT_TRUE(program.is_ready());
  Walked walked(program, path);
  ASSERT_EQ(walked.problem, "");
  auto followed = walked.follow();
  ASSERT_TRUE(followed) << followed.error().message();
  std::uint64_t reached = 0;
  for (const auto &[address, truth] : program.maps) {
    if (!walked.is_in_census(address)) // it lay in a span that was not yet swept
      continue;
    ++reached;
    const MapWitness witness = walked.witness(address);
    EXPECT_TRUE(std::ranges::find(kTypes, walked.type_of(address)) != std::end(kTypes))
        << std::hex << address << " " << walked.type_of(address);
    EXPECT_EQ(walked.patterns.root_of(witness.pattern).name, "main.maps") << std::hex << address;
    EXPECT_EQ(walked.walk->pattern_of(address), witness.pattern) << std::hex << address;
    EXPECT_EQ(walked.walk->word_to(address), witness.word) << std::hex << address;
  }
  EXPECT_GT(reached, program.maps.size() * 9 / 10);
  EXPECT_EQ(walked.walk->counts().stopped_by, "");
}

// A list of many objects does not have to be kept in mind whole.
TEST_P(GraphWalkTest, ReachesTheSameMapsWithLittleMemory) {
  const std::string path = workload("census");
  if (path.empty())
    GTEST_SKIP() << "tools/build-workloads --go " << GetParam() << " has not been run";
  CensusProgram program(path, {"-n", "20000", "-silent"});
  ASSERT_TRUE(program.is_ready());
  Walked walked(program, path);
  ASSERT_EQ(walked.problem, "");
  auto reached = [&walked](std::uint64_t memory_bytes_max) {
    auto followed = walked.follow({.memory_bytes_max = memory_bytes_max});
    EXPECT_TRUE(followed) << followed.error().message();
    EXPECT_EQ(walked.walk->counts().stopped_by, "");
    return std::ranges::count_if(walked.walk->witnesses(),
                                 [](const MapWitness &witness) { return witness.type != 0; });
  };
  const auto all = reached(256 << 20);
  EXPECT_GT(all, 18'000);
  EXPECT_EQ(reached(4 << 20), all);
}

// What leads to the maps is still there, as long as nobody changes it.
TEST_P(GraphWalkTest, TellsWhatStillLeadsToAWord) {
  const std::string path = workload("census");
  if (path.empty())
    GTEST_SKIP() << "tools/build-workloads --go " << GetParam() << " has not been run";
  CensusProgram program(path, {"-n", "2000", "-silent"});
  ASSERT_TRUE(program.is_ready());
  Walked walked(program, path);
  ASSERT_EQ(walked.problem, "");
  Changed changed(program.memory());
  walked.space = &changed;
  auto followed = walked.follow();
  ASSERT_TRUE(followed) << followed.error().message();
  std::vector<std::uint64_t> words;
  for (const MapWitness &witness : walked.walk->witnesses())
    if (witness.type != 0 && walked.patterns.root_of(witness.pattern).name == "main.maps")
      words.push_back(witness.word);
  ASSERT_GT(words.size(), 1000u);
  auto hold = walked.walk->still_hold(words);
  ASSERT_TRUE(hold) << hold.error().message();
  EXPECT_TRUE(std::ranges::all_of(*hold, [](bool holds) { return holds; }));
  // The variable points elsewhere by now: its slice, and all in it, may be anything.
  changed.word = walked.walk->word_to(words.front());
  ASSERT_NE(changed.word, 0u);
  hold = walked.walk->still_hold(words);
  ASSERT_TRUE(hold) << hold.error().message();
  EXPECT_TRUE(std::ranges::none_of(*hold, [](bool holds) { return holds; }));
}

// What a budget ends says so, and what was found until then stands.
TEST_P(GraphWalkTest, StopsWithASentenceWhenABudgetIsSpent) {
  const std::string path = workload("census");
  if (path.empty())
    GTEST_SKIP() << "tools/build-workloads --go " << GetParam() << " has not been run";
  CensusProgram program(path, {"-n", "20000", "-silent"});
  ASSERT_TRUE(program.is_ready());
  for (const WalkLimits &limits : {WalkLimits{.memory_bytes_max = 100'000},
                                   WalkLimits{.cpu_max = std::chrono::milliseconds{1}},
                                   WalkLimits{.objects_max = 100}, WalkLimits{.words_max = 100}}) {
    Walked walked(program, path);
    ASSERT_EQ(walked.problem, "");
    auto followed = walked.follow(limits);
    ASSERT_TRUE(followed) << followed.error().message();
    EXPECT_NE(walked.walk->counts().stopped_by, "");
    for (const MapWitness &witness : walked.walk->witnesses()) {
      EXPECT_EQ(witness.word == 0, witness.pattern == 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Go, GraphWalkTest, ::testing::ValuesIn(kGoReleases), [](const auto &one) {
  std::string name = "Go" + one.param;
  std::ranges::replace(name, '.', '_');
  return name;
});

} // namespace
} // namespace mapscope
