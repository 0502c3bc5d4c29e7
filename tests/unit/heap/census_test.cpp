// A census against programs that know every map of theirs: nothing missed, nothing made up, and
// the bytes that the heap itself counts.
#include "heap/census.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "heap/census_memory.h"
#include "support/census_program.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::TrueMap;

// How the program was built: with what tools/build-workloads builds, or with an experiment.
struct Build {
  std::string version, mode;
  std::string experiment;

  std::string name() const {
    std::string name = "Go" + version + "_" + mode + experiment;
    std::ranges::replace(name, '.', '_');
    return name;
  }
};

// MAPSCOPE_CENSUS_MAPS=1000000 takes ten seconds and 1.5 GB of memory for each build.
std::string map_count() {
  const char *count = std::getenv("MAPSCOPE_CENSUS_MAPS");
  return count == nullptr ? "10000" : count;
}

class CensusTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[version, mode, experiment] = GetParam();
    if (experiment.empty()) {
      path_ = fmt::format("{}/build/workloads/{}/{}/census", SOURCE_DIRECTORY, version, mode);
      if (!std::filesystem::exists(path_))
        GTEST_SKIP() << path_ << " is not built; tools/build-workloads does that";
    } else {
      auto program = built({"workloads", "./census", "census-" + GetParam().name()}, version,
                           "GOEXPERIMENT=" + experiment, "-buildvcs=false");
      if (!program)
        GTEST_SKIP() << "Go " << version << " can't be had";
      path_ = *program;
    }
  }

  const std::string &program() const { return path_; }

private:
  std::string path_;
};

// The maps of the program by address. Those of the runtime and the standard library are left out.
std::map<std::uint64_t, MapSample> of_program(const Census &census, const CensusProgram &program) {
  std::map<std::uint64_t, MapSample> found;
  for (std::size_t i = 0; i < census.maps.size(); ++i)
    if (MapSample map = census.maps[i]; program.maps.contains(map.address.value))
      found[map.address.value] = map;
  return found;
}

using TypedMap = std::pair<MapSample, std::vector<std::uint32_t>>;

// With the types themselves, since the numbers of sets are each census's own.
std::map<std::uint64_t, TypedMap> all_maps(const Census &census) {
  std::map<std::uint64_t, TypedMap> found;
  for (std::size_t i = 0; i < census.maps.size(); ++i) {
    MapSample map = census.maps[i];
    auto types = census.type_sets.at(std::exchange(map.types, kUnknownTypes));
    found[map.address.value] = {map, types};
  }
  return found;
}

TEST_P(CensusTest, FindsTheHeapBySearchingTheData) {
  CensusProgram program(this->program(), {"-n", "10"});
  ASSERT_TRUE(program.is_ready());
  auto layout = HeapLayout::from(program.facts);
  ASSERT_TRUE(layout) << layout.error().message();
  HeapAnchors anchors = program.anchors;
  anchors.mheap_candidates.clear();
  auto root = find_heap(program.memory(), anchors, *layout);
  ASSERT_TRUE(root) << root.error().message();
  if (program.mheap) {
    EXPECT_EQ(root->mheap, *program.mheap);
  }
}

TEST_P(CensusTest, FindsEveryMapWithItsNumbers) {
  CensusProgram program(this->program(), {"-n", map_count(), "-noise", "500"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();

  auto found = of_program(*census, program);
  std::set<std::uint64_t> copied; // which of two owners is the map is not known
  for (const HeaderCopy &copy : census->copies)
    copied.insert(copy.address.value);
  std::uint64_t missed = 0;
  for (const auto &[address, truth] : program.maps) {
    auto map = found.find(address);
    if (map == found.end()) {
      missed += !copied.contains(address);
      continue;
    }
    EXPECT_EQ(map->second.len, truth.len) << std::hex << address;
    EXPECT_EQ(map->second.slots, truth.slots) << std::hex << address;
    EXPECT_EQ(map->second.tombstones, truth.tombstones) << std::hex << address;
  }
  EXPECT_EQ(missed, 0u);

  std::map<std::string, int> mistaken;
  for (std::size_t i = 0; i < census->maps.size(); ++i) {
    MapSample map = census->maps[i];
    auto look = program.noise.find(map.address.value);
    if (look != program.noise.end() && map.evidence != MapEvidence::plausible &&
        look->second != "copy")
      ++mistaken[look->second];
  }
  for (const auto &[look, count] : mistaken)
    ADD_FAILURE() << count << " objects of class " << look << " were taken for maps";
}

TEST_P(CensusTest, CountsTheBytesThatTheHeapCounts) {
  CensusProgram program(this->program(), {"-n", "100000", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();
  auto found = of_program(*census, program);
  EXPECT_EQ(found.size(), program.maps.size());
  double bytes = 0, truth = static_cast<double>(program.bytes);
  for (const auto &[address, map] : found)
    bytes += static_cast<double>(map.bytes.total());
  EXPECT_LT(std::abs(bytes - truth) / truth, 0.0001) << bytes - truth << " of " << truth;
}

// Two goroutines grow, empty and replace maps as fast as they can, and the collector runs.
TEST_P(CensusTest, MissesNoMapThatHoldsStillWhileOthersChange) {
  constexpr int kCensuses = 10;
  CensusProgram program(this->program(), {"-n", "2000", "-noise", "0", "-mutate", "2"});
  ASSERT_TRUE(program.is_ready());
  std::uint64_t unsettled = 0, maps = 0;
  for (int i = 0; i < kCensuses; ++i) {
    auto census = take_census(program.memory(), program.anchors, program.facts);
    ASSERT_TRUE(census) << census.error().message();
    auto found = of_program(*census, program);
    for (const auto &[address, truth] : program.maps) {
      auto map = found.find(address);
      ASSERT_NE(map, found.end()) << std::hex << address << " in census " << std::dec << i;
      ASSERT_EQ(map->second.len, truth.len);
      ASSERT_EQ(map->second.slots, truth.slots);
    }
    unsettled += census->counts.unsettled_count;
    maps += census->counts.map_count;
  }
  EXPECT_LT(unsettled * 100, maps);
}

// What is too large to be read beside others is read alone.
TEST_P(CensusTest, SaysTheSameHoweverManyMapsItReadsAtOnce) {
  CensusProgram program(this->program(), {"-n", "2000", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  auto together = take_census(program.memory(), program.anchors, program.facts);
  auto alone = take_census(program.memory(), program.anchors, program.facts,
                           {.maps_at_once = 170, .contents_bytes_at_once = 32});
  ASSERT_TRUE(together && alone);
  auto those_together = all_maps(*together), those_alone = all_maps(*alone);
  for (const auto &[address, truth] : program.maps)
    EXPECT_EQ(those_together[address], those_alone[address]) << std::hex << address;
  EXPECT_EQ(of_program(*alone, program).size(), program.maps.size());
}

// A header tells how long its map is, and where it lies.
TEST_P(CensusTest, HeadersAloneTellTheLengths) {
  CensusProgram program(this->program(), {"-n", "2000", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts,
                            {.level = CensusLevel::headers});
  ASSERT_TRUE(census) << census.error().message();
  auto found = of_program(*census, program);
  EXPECT_EQ(found.size(), program.maps.size());
  for (const auto &[address, map] : found)
    EXPECT_EQ(map.len, program.maps[address].len);
}

// What a census takes over from the one before has to be what it would have read, whatever changed
// in between.
TEST_P(CensusTest, SaysTheSameWithAMemoryAsWithout) {
  CensusProgram program(this->program(), {"-n", "5000", "-noise", "100", "-mutate", "2"});
  ASSERT_TRUE(program.is_ready());
  CensusMemory memory;
  for (int round = 0; round < 3; ++round) {
    // Maps change in the course of the first, and between this and those of a stopped program.
    auto running =
        take_census(program.memory(), program.anchors, program.facts, {.memory = &memory});
    ASSERT_TRUE(running) << running.error().message();
    EXPECT_GT(memory.size(), program.maps.size() / 2);
    ASSERT_EQ(::kill(program.pid(), SIGSTOP), 0);
    ASSERT_EQ(::waitpid(program.pid(), nullptr, WUNTRACED), program.pid()); // all its threads have
    auto with_memory =
        take_census(program.memory(), program.anchors, program.facts, {.memory = &memory});
    auto without = take_census(program.memory(), program.anchors, program.facts);
    ::kill(program.pid(), SIGCONT);
    ASSERT_TRUE(with_memory && without);
    auto remembered = all_maps(*with_memory), fresh = all_maps(*without);
    EXPECT_EQ(remembered.size(), fresh.size());
    for (const auto &[address, map] : fresh)
      ASSERT_EQ(remembered[address], map) << std::hex << address << " in round " << round;
  }
}

// The memory of a program, with an answer of its own to which pages are in memory.
class WithPages : public AddressSpace {
public:
  WithPages(AddressSpace &space, bool is_swapped) : space_(space), is_swapped_(is_swapped) {}
  Result<> read(std::span<MemoryRead> reads) override { return space_.read(reads); }
  Result<std::vector<Mapping>> mappings() override { return space_.mappings(); }
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override {
    std::vector<PageRun> runs;
    for (const ProcessRange &range : ranges)
      runs.push_back({.range = range, .is_swapped = is_swapped_});
    return runs;
  }

private:
  AddressSpace &space_;
  bool is_swapped_;
};

TEST_P(CensusTest, TellsOfEveryByteWhetherItIsInMemory) {
  CensusProgram program(this->program(), {"-n", "2000", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  CensusMemory memory;
  for (bool is_swapped : {false, true, false}) {
    WithPages space(program.memory(), is_swapped);
    auto census =
        take_census(space, program.anchors, program.facts, {.residency = true, .memory = &memory});
    ASSERT_TRUE(census) << census.error().message();
    EXPECT_TRUE(census->has_residency);
    for (std::size_t i = 0; i < census->maps.size(); ++i) {
      MapSample map = census->maps[i];
      ASSERT_EQ(map.resident_bytes, is_swapped ? 0 : map.bytes.total());
      ASSERT_EQ(map.swapped_bytes, is_swapped ? map.bytes.total() : 0);
    }
  }
  auto unknown = take_census(program.memory(), program.anchors, program.facts, {.residency = true});
  ASSERT_TRUE(unknown) << unknown.error().message();
  EXPECT_FALSE(unknown->has_residency);
}

TEST_P(CensusTest, SaysWhatItLeftOutWhenTimeWasUp) {
  CensusProgram program(this->program(), {"-n", "2000", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts,
                            {.time_max = std::chrono::milliseconds{0}});
  ASSERT_TRUE(census) << census.error().message();
  EXPECT_EQ(census->maps.size(), 0u);
  EXPECT_GE(census->counts.header_span_left_out_count, 2000u / 170);
}

// Every candidate is told of.
TEST_P(CensusTest, TheCountsAddUp) {
  CensusProgram program(this->program(), {"-n", "1000", "-noise", "100", "-mutate", "1"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();
  const CensusCounts &counts = census->counts;
  EXPECT_EQ(counts.candidate_count, counts.map_count + counts.copy_count + counts.rejected_count +
                                        counts.unsettled_count + counts.gone_count +
                                        counts.too_large_count);
  EXPECT_EQ(counts.map_count, census->maps.size());
  EXPECT_GT(census->heap.in_use_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Programs, CensusTest,
    ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.19.13", "plain"},
                      Build{"1.21.13", "plain"}, Build{"1.22.12", "plain"},
                      Build{"1.23.12", "plain"}, Build{"1.24.13", "plain"},
                      Build{"1.25.14", "plain"}, Build{"1.26.8", "plain"}, Build{"1.27.4", "plain"},
                      Build{"1.17.13", "pie"}, Build{"1.24.13", "pie"}, Build{"1.27.4", "stripped"},
                      Build{"1.24.13", "", "noswissmap"}, Build{"1.25.14", "", "noswissmap"},
                      Build{"1.25.14", "", "greenteagc"}, Build{"1.26.8", "", "nogreenteagc"},
                      Build{"1.27.4", "", "mapsplitgroup"}),
    [](const auto &parameter) { return parameter.param.name(); });

} // namespace
} // namespace mapscope
