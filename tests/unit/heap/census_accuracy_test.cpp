// A census of programs that make it hard: that change their maps at full speed and publish all the
// time what may be said of them, that drop maps which nobody sweeps, that write garbage over the
// runtime's own descriptors, that keep copies of headers on the heap of C.
//
// MAPSCOPE_CENSUSES=10000 takes so many of the first kind; else as many as fit into three seconds.
#include "heap/census.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "heap/census_memory.h"
#include "support/census_program.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

// As workloads/restless publishes it, of one map.
struct Record {
  std::uint64_t generation = 0, address = 0, lower = 0, upper = 0;
};

// The file that the program shares.
class Records {
public:
  explicit Records(const std::string &path) {
    Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    size_bytes_ = std::filesystem::file_size(path);
    void *at = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED)
      std::abort();
    words_ = {static_cast<std::uint64_t *>(at), size_bytes_ / 8};
  }
  ~Records() { ::munmap(words_.data(), size_bytes_); }
  Records(const Records &) = delete;
  Records &operator=(const Records &) = delete;

  std::size_t size() const { return words_.size() / 4; }

  // Absent: the map is being replaced.
  std::optional<Record> read(std::size_t i) const {
    const std::uint64_t generation = word(i, 0);
    Record record{generation, word(i, 1), word(i, 2), word(i, 3)};
    return generation % 2 == 0 && word(i, 0) == generation ? std::optional{record} : std::nullopt;
  }

  std::vector<std::optional<Record>> read_all() const {
    std::vector<std::optional<Record>> all;
    for (std::size_t i = 0; i < size(); ++i)
      all.push_back(read(i));
    return all;
  }

private:
  std::uint64_t word(std::size_t record, std::size_t field) const {
    return std::atomic_ref{words_[record * 4 + field]}.load();
  }

  std::size_t size_bytes_ = 0;
  std::span<std::uint64_t> words_;
};

struct Build {
  std::string version, mode;
  std::string name() const {
    std::string name = "Go" + version + "_" + mode;
    std::ranges::replace(name, '.', '_');
    return name;
  }
};

class CensusAccuracyTest : public ::testing::TestWithParam<Build> {
protected:
  // Of tools/build-workloads; empty: not built.
  std::string workload(const std::string &name) {
    std::string path = fmt::format("{}/build/workloads/{}/{}/{}", SOURCE_DIRECTORY,
                                   GetParam().version, GetParam().mode, name);
    return std::filesystem::exists(path) ? path : "";
  }

  static std::unordered_map<std::uint64_t, MapSample> by_address(const Census &census) {
    std::unordered_map<std::uint64_t, MapSample> maps;
    for (std::size_t i = 0; i < census.maps.size(); ++i) {
      MapSample map = census.maps[i];
      EXPECT_TRUE(maps.emplace(map.address.value, map).second)
          << std::hex << map.address.value << " is told of twice";
    }
    return maps;
  }

  // Every map that the program printed is there with its numbers, but for those that may be missed.
  static std::uint64_t missed(const Census &census, const CensusProgram &program) {
    auto found = by_address(census);
    std::uint64_t count = 0;
    for (const auto &[address, truth] : program.maps) {
      auto map = found.find(address);
      if (map == found.end()) {
        ++count;
        continue;
      }
      EXPECT_EQ(map->second.len, truth.len) << std::hex << address;
      EXPECT_EQ(map->second.slots, truth.slots) << std::hex << address;
    }
    return count;
  }
};

// What a census said of the maps of `restless` while they changed.
struct Tally {
  std::uint64_t maps = 0, unsettled = 0, judged = 0;
};

void compare(const Census &census, const std::unordered_map<std::uint64_t, MapSample> &found,
             const std::vector<std::optional<Record>> &before, const Records &records,
             Tally &tally) {
  std::unordered_set<std::uint64_t> copies;
  for (const HeaderCopy &copy : census.copies)
    copies.insert(copy.address.value);
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto after = records.read(i);
    if (!before[i] || !after || before[i]->generation != after->generation || before[i]->lower == 0)
      continue; // another map by now, or one that may still be without contents
    const Record &published = *before[i];
    auto map = found.find(published.address);
    if (map == found.end()) {
      ++missing;
      EXPECT_FALSE(copies.contains(published.address))
          << "a map was taken for a copy of another: " << std::hex << published.address;
      EXPECT_NE(published.lower, after->upper)
          << "a map that never changes was missed: " << std::hex << published.address;
      continue;
    }
    ++tally.judged;
    EXPECT_GE(map->second.len, published.lower) << std::hex << published.address;
    EXPECT_LE(map->second.len, after->upper) << std::hex << published.address;
    EXPECT_GE(map->second.slots * 2, map->second.len) << std::hex << published.address;
    EXPECT_NE(map->second.evidence, MapEvidence::plausible) << std::hex << published.address;
  }
  const CensusCounts &counts = census.counts;
  EXPECT_LE(missing, counts.unsettled_count)
      << "maps were missed in silence; gone " << counts.gone_count << ", rejected "
      << counts.rejected_count << ", copies " << counts.copy_count << ", header spans unsettled "
      << counts.header_span_unsettled_count;
  tally.maps += counts.map_count;
  tally.unsettled += counts.unsettled_count;
}

// Every other census goes on from what the one before the last has learned.
void compare_censuses(CensusProgram &program, const Records &records) {
  const char *wanted = std::getenv("MAPSCOPE_CENSUSES");
  const int count = wanted == nullptr ? 0 : std::atoi(wanted);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{3};
  CensusMemory memory;
  Tally tally;
  int taken = 0;
  for (; count > 0 ? taken < count : std::chrono::steady_clock::now() < deadline; ++taken) {
    const auto before = records.read_all();
    auto census = take_census(program.memory(), program.anchors, program.facts,
                              {.memory = taken % 2 == 0 ? nullptr : &memory});
    ASSERT_TRUE(census) << census.error().message();
    std::unordered_map<std::uint64_t, MapSample> found;
    for (std::size_t i = 0; i < census->maps.size(); ++i)
      found.emplace(census->maps[i].address.value, census->maps[i]);
    compare(*census, found, before, records, tally);
    ASSERT_FALSE(::testing::Test::HasFailure()) << "in census " << taken;
  }
  EXPECT_GT(tally.judged, 0u);
  EXPECT_LT(tally.unsettled * 100, tally.maps)
      << tally.unsettled << " of " << tally.maps << " unsettled in " << taken << " censuses";
  ::testing::Test::RecordProperty("censuses", taken);
  ::testing::Test::RecordProperty("maps", std::to_string(tally.maps));
  ::testing::Test::RecordProperty("unsettled", std::to_string(tally.unsettled));
}

// Two goroutines change maps without a pause, and the collector runs beside them.
TEST_P(CensusAccuracyTest, SaysNothingWrongOfMapsThatChange) {
  const std::string program_path = workload("restless");
  if (program_path.empty())
    GTEST_SKIP() << "restless is not built; tools/build-workloads does that";
  const auto share = std::filesystem::temp_directory_path() /
                     fmt::format("mapscope-restless-{}-{}", GetParam().name(), ::getpid());
  CensusProgram program(program_path, {"-share", share});
  ASSERT_TRUE(program.is_ready());
  Records records(share);
  std::filesystem::remove(share);
  compare_censuses(program, records);
}

// A map that was dropped is no map, even where nobody has swept it away.
TEST_P(CensusAccuracyTest, DroppedMapsAreNotTold) {
  const std::string program_path = workload("dropped");
  if (program_path.empty())
    GTEST_SKIP() << "dropped is not built; tools/build-workloads does that";
  for (const std::vector<std::string> &arguments :
       {std::vector<std::string>{}, std::vector<std::string>{"-reuse"}}) {
    CensusProgram program(program_path, arguments);
    ASSERT_TRUE(program.is_ready());
    auto census = take_census(program.memory(), program.anchors, program.facts);
    ASSERT_TRUE(census) << census.error().message();
    EXPECT_EQ(missed(*census, program), 0u);
    std::uint64_t dropped = 0;
    for (const auto &[address, map] : by_address(*census))
      dropped += program.noise.contains(address);
    EXPECT_EQ(dropped, 0u) << fmt::format("{}", fmt::join(arguments, " "));
  }
}

// Whatever the descriptors of some spans say, the maps of the others have their numbers.
TEST_P(CensusAccuracyTest, SpoiledDescriptorsLeadNobodyAstray) {
  const std::string program_path = workload("spoiled");
  if (program_path.empty())
    GTEST_SKIP() << "spoiled is not built; tools/build-workloads does that";
  const char *seeds = std::getenv("MAPSCOPE_SEEDS");
  const int seed_count = seeds == nullptr ? 8 : std::atoi(seeds);
  for (int seed = 1; seed <= seed_count; ++seed) {
    SCOPED_TRACE(seed);
    CensusProgram program(program_path, {"-seed", std::to_string(seed)});
    ASSERT_TRUE(program.is_ready());
    auto census = take_census(program.memory(), program.anchors, program.facts);
    if (!census) { // "unreadable" is an answer
      EXPECT_FALSE(census.error().message().empty());
      continue;
    }
    EXPECT_EQ(missed(*census, program), 0u);
  }
}

// C may have the very same bytes.
TEST_P(CensusAccuracyTest, TheHeapOfCHasNoMaps) {
  const std::string program_path = workload("beside_c");
  if (program_path.empty())
    GTEST_SKIP() << "beside_c is not built: it needs C, and tools/build-workloads";
  CensusProgram program(program_path, {});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();
  EXPECT_EQ(missed(*census, program), 0u);
  for (const auto &[address, map] : by_address(*census))
    EXPECT_FALSE(program.noise.contains(address)) << std::hex << address;
  EXPECT_EQ(census->counts.copy_count, 0u);
}

INSTANTIATE_TEST_SUITE_P(Programs, CensusAccuracyTest,
                         ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.19.13", "plain"},
                                           Build{"1.21.13", "plain"}, Build{"1.22.12", "plain"},
                                           Build{"1.23.12", "plain"}, Build{"1.24.13", "plain"},
                                           Build{"1.25.14", "plain"}, Build{"1.26.8", "plain"},
                                           Build{"1.27.4", "plain"}, Build{"1.17.13", "cgo"},
                                           Build{"1.22.12", "cgo"}, Build{"1.27.4", "cgo"}),
                         [](const auto &parameter) { return parameter.param.name(); });

} // namespace
} // namespace mapscope
