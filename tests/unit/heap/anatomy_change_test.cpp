// Maps taken apart whose memory is spoiled, or changes meanwhile: an answer agrees with itself, or
// there is none.
#include <filesystem>
#include <random>
#include <ranges>
#include <vector>

#include <gtest/gtest.h>

#include "heap/anatomy.h"
#include "support/census_program.h"
#include "unit/heap/fake_heap.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::FakeHeap;

void expect_agreement(const MapAnatomy &anatomy) {
  std::uint64_t bytes = 0, groups = 0, entries = 0;
  for (const MapObject &object : anatomy.objects)
    bytes += object.bytes;
  for (std::size_t i = 0; i < anatomy.fill.size(); ++i) {
    groups += anatomy.fill[i];
    entries += i * anatomy.fill[i];
  }
  EXPECT_EQ(bytes, anatomy.map.bytes.total());
  if (groups != 0 && anatomy.map.old_buckets == 0) {
    EXPECT_EQ(entries, anatomy.map.len);
  }
  EXPECT_LE(anatomy.map.len,
            8 * std::max(groups, anatomy.map.slots / 8) + 8 * anatomy.map.old_buckets);
}

// Two tables of eight slots, the second with one entry and a tombstone.
struct SpoiledHeap : FakeHeap {
  std::uint64_t headers = add_span(48, true), groups = add_span(144, false);
  std::uint64_t tables = add_span(32, true), directories = add_span(16, true);

  SpoiledHeap() {
    for (int i = 0; i < 6; ++i)
      add_span(64, false); // find_heap() wants to see eight
    allocate_header(headers, 0, 0);
    put_header(headers, 3, directories, 2);
    memory.put(directories, tables);
    memory.put(directories + 8, tables + 32);
    for (std::uint64_t i = 0; i < 2; ++i) {
      put_table(tables + 32 * i, static_cast<std::uint16_t>(2 - i), 8,
                static_cast<std::uint16_t>(5), i, groups + 144 * i);
      *memory.at(tables + 32 * i + layout.swiss.table_local_depth) = std::byte{1};
    }
    memory.put(groups, std::uint64_t{0x8080808080800102});
    memory.put(groups + 144, std::uint64_t{0x80808080808001fe});
  }
};

TEST(AnatomyChangeTest, TakesADirectoryApart) {
  SpoiledHeap heap;
  auto anatomy = take_apart(heap.memory, heap.anchors, heap.facts, {heap.headers}, nullptr);
  ASSERT_TRUE(anatomy) << anatomy.error().message();
  expect_agreement(*anatomy);
  EXPECT_EQ(anatomy->map.len, 3u);
  EXPECT_EQ(anatomy->map.tombstones, 1u);
  EXPECT_EQ(anatomy->global_depth, 1u);
  ASSERT_EQ(anatomy->tables.size(), 2u);
  EXPECT_EQ(anatomy->tables[1].address.value, heap.tables + 32);
  EXPECT_EQ(anatomy->tables[1].tombstones, 1u);
  EXPECT_EQ(anatomy->object_count, 6u);
  EXPECT_EQ(anatomy->span_count, 4u);
  EXPECT_EQ(anatomy->heap_pages, 4u);
  EXPECT_FALSE(anatomy->resident_pages); // this memory can't know
}

TEST(AnatomyChangeTest, AgreesWithItselfWhateverTheBytesAre) {
  constexpr std::size_t kRounds = 1500;
  std::mt19937_64 random(1);
  std::size_t answered = 0;
  SpoiledHeap heap;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const std::uint64_t starts[] = {heap.headers, heap.groups, heap.tables, heap.directories,
                                    heap.mspan_of(random() % 4)};
    std::vector<std::pair<std::byte *, std::byte>> spoiled; // and what was there
    for (std::uint64_t left = random() % 3; left != 0; --left) {
      std::byte *at = heap.memory.at(starts[random() % 5] + random() % 64);
      spoiled.emplace_back(at, *at);
      *at = static_cast<std::byte>(random());
    }
    auto anatomy = take_apart(heap.memory, heap.anchors, heap.facts, {heap.headers}, nullptr);
    if (anatomy)
      expect_agreement(*anatomy);
    answered += anatomy.has_value();
    for (auto &[at, was] : std::views::reverse(spoiled))
      *at = was;
  }
  EXPECT_GT(answered, kRounds / 3);
  EXPECT_LT(answered, kRounds);
}

// The same directory again and again, as long as the tables allow it: no end would be one.
TEST(AnatomyChangeTest, ComesToAnEndWhereAMapContainsItself) {
  SpoiledHeap heap;
  heap.memory.put(heap.directories, heap.headers);
  heap.memory.put(heap.directories + 8, heap.directories);
  auto anatomy = take_apart(heap.memory, heap.anchors, heap.facts, {heap.headers}, nullptr);
  ASSERT_FALSE(anatomy);
  EXPECT_EQ(anatomy.error().code(), Errc::not_found) << anatomy.error().message();
}

class ChangingMapsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ChangingMapsTest, AgreeWithThemselves) {
  auto path = fmt::format("{}/build/workloads/{}/plain/census", SOURCE_DIRECTORY, GetParam());
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not built; tools/build-workloads does that";
  CensusProgram program(path, {"-n", "100", "-noise", "0", "-mutate", "2"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts, {.types = false});
  ASSERT_TRUE(census) << census.error().message();
  std::size_t changing = 0, settled = 0;
  for (std::size_t i = 0; i < census->maps.size() && changing < 100; ++i) {
    MapSample map = census->maps[i];
    auto truth = program.maps.find(map.address.value);
    auto anatomy =
        take_apart(program.memory(), program.anchors, program.facts, map.address, nullptr);
    if (anatomy)
      expect_agreement(*anatomy);
    if (truth == program.maps.end()) {
      ++changing;
      settled += anatomy.has_value();
      continue;
    }
    ASSERT_TRUE(anatomy) << anatomy.error().message();
    EXPECT_EQ(anatomy->map.len, truth->second.len);
    EXPECT_EQ(anatomy->map.slots, truth->second.slots);
  }
  RecordProperty("changing", static_cast<int>(changing));
  RecordProperty("settled", static_cast<int>(settled));
}

INSTANTIATE_TEST_SUITE_P(Releases, ChangingMapsTest,
                         ::testing::Values("1.19.13", "1.22.12", "1.24.13", "1.27.4"),
                         [](const auto &parameter) {
                           std::string name = "Go" + parameter.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
