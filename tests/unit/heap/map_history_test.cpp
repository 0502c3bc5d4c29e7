// What a map shows of its past, which of its bytes are in memory, and what a second census takes
// over from the first: on a heap where every byte is known.
#include <gtest/gtest.h>

#include "heap/census.h"
#include "heap/census_memory.h"
#include "heap/classic_buckets.h"
#include "unit/heap/fake_heap.h"

namespace mapscope {
namespace {

using testing::FakeHeap;

constexpr std::uint64_t kEmptyGroup = 0x8080808080808080;

// A map of two tables with 16 slots each, of which two groups hold one entry each.
class MapHistoryTest : public ::testing::Test {
protected:
  MapHistoryTest() {
    heap.allocate_header(headers, 0, 0);
    heap.put_header(map, 2, directories, 2);
    for (std::uint64_t i = 0; i < 2; ++i) {
      put_table(i, 16, 1);
      heap.memory.put(directories + i * 8, tables + i * 32);
      heap.memory.put(arrays + i * 288, (kEmptyGroup & ~0xffULL) | 0x11);
      heap.memory.put(arrays + i * 288 + 136, kEmptyGroup);
    }
    for (int i = 0; i < 4; ++i)
      heap.add_span(1024, false);
  }

  void put_table(std::uint64_t index, std::uint16_t capacity, std::uint8_t local_depth) {
    std::uint64_t at = tables + index * 32;
    heap.put_table(at, 1, capacity, static_cast<std::uint16_t>(capacity / 8 * 7 - 1), index,
                   arrays + index * 288);
    heap.memory.put(at + heap.layout.swiss.table_local_depth, local_depth);
  }

  MapSample take(CensusOptions options = {}) {
    auto census = take_census(heap.memory, heap.anchors, heap.facts, options);
    EXPECT_TRUE(census) << census.error().message();
    EXPECT_EQ(census->maps.size(), 1u);
    return census->maps.size() == 1 ? census->maps[0] : MapSample{};
  }
  MapHistory history() { return take().history; }

  FakeHeap heap;
  std::uint64_t headers = heap.add_span(48, true);
  std::uint64_t directories = heap.add_span(16, true);
  std::uint64_t tables = heap.add_span(32, true);
  std::uint64_t arrays = heap.add_span(288, false);
  std::uint64_t map = headers;
};

TEST_F(MapHistoryTest, SeveralTablesBelowTheLargestSizeWereAskedFor) {
  EXPECT_EQ(history(), (MapHistory{.was_hinted = true}));
}

TEST_F(MapHistoryTest, ClearingIsCounted) {
  heap.memory.put(map + heap.layout.swiss.clear_seq, std::uint64_t{1});
  EXPECT_TRUE(history().was_cleared);
}

TEST_F(MapHistoryTest, TablesOfUnequalSizeHaveGrown) {
  std::uint64_t larger = heap.add_span(576, false);
  heap.put_table(tables + 32, 1, 32, 27, 1, larger);
  heap.memory.put(tables + 32 + heap.layout.swiss.table_local_depth, std::uint8_t{1});
  heap.memory.put(larger, (kEmptyGroup & ~0xffULL) | 0x11);
  for (std::uint64_t group = 1; group < 4; ++group)
    heap.memory.put(larger + group * 136, kEmptyGroup);
  EXPECT_TRUE(history().has_grown);
}

TEST_F(MapHistoryTest, ATableThatIsNamedTwiceIsLessDeepThanOthers) {
  heap.put_header(map, 1, directories, 2);
  heap.memory.put(directories + 8, tables);
  put_table(0, 16, 0);
  EXPECT_TRUE(history().has_grown);
}

// One such group may be an insertion under way.
TEST_F(MapHistoryTest, KeysInEmptyGroupsWereDeleted) {
  std::uint64_t larger = heap.add_span(576, false);
  heap.put_table(tables, 1, 32, 27, 0, larger);
  heap.memory.put(tables + heap.layout.swiss.table_local_depth, std::uint8_t{1});
  heap.memory.put(larger, (kEmptyGroup & ~0xffULL) | 0x11);
  for (std::uint64_t group = 1; group < 4; ++group)
    heap.memory.put(larger + group * 136, kEmptyGroup);
  heap.memory.put(larger + 136 + 8, std::uint64_t{77});
  EXPECT_FALSE(history().has_deletions);
  heap.memory.put(larger + 2 * 136 + 40, std::uint64_t{78});
  EXPECT_TRUE(history().has_deletions);
}

TEST_F(MapHistoryTest, KeysInEmptyBucketsWereDeleted) {
  std::vector<std::byte> buckets(4 * 144);
  buckets[0] = std::byte{9}; // a live cell with its key
  buckets[8] = std::byte{1};
  EXPECT_FALSE(has_deleted_keys(buckets, 144));
  buckets[144 + 16] = std::byte{1};
  EXPECT_FALSE(has_deleted_keys(buckets, 144));
  buckets[2 * 144 + 136] = std::byte{1}; // an overflow pointer is no key
  EXPECT_FALSE(has_deleted_keys(buckets, 144));
  buckets[3 * 144 + 72] = std::byte{1};
  EXPECT_TRUE(has_deleted_keys(buckets, 144));
  EXPECT_TRUE(look_at_bucket(0x0901).has_deletions); // emptyOne in front of a live cell
  EXPECT_FALSE(look_at_bucket(0x09).has_deletions);
}

// Header and tables are as they were, so that control words are not read again.
TEST_F(MapHistoryTest, ASecondCensusReadsWhatTheNumbersDependOn) {
  CensusMemory memory;
  MapSample first = take({.memory = &memory});
  EXPECT_EQ(memory.size(), 1u);
  heap.memory.put(arrays, std::uint64_t{0x7f7f7f7f7f7f7f7f});
  EXPECT_EQ(take({.memory = &memory}), first);
  // Once a table changes, they count again.
  heap.put_header(map, 9, directories, 2);
  heap.put_table(tables, 8, 16, 6, 0, arrays);
  heap.memory.put(tables + heap.layout.swiss.table_local_depth, std::uint8_t{1});
  EXPECT_EQ(take({.memory = &memory}).len, 9u);
  heap.put_table(tables, 7, 16, 7, 0, arrays);
  heap.memory.put(tables + heap.layout.swiss.table_local_depth, std::uint8_t{1});
  heap.put_header(map, 8, directories, 2);
  auto census = take_census(heap.memory, heap.anchors, heap.facts, {.memory = &memory});
  ASSERT_TRUE(census);
  EXPECT_EQ(census->maps.size(), 0u) << "eight are full where seven are told";
}

// Says that some pages are in memory, and the one behind each of them in swap.
class WithPages : public AddressSpace {
public:
  WithPages(AddressSpace &space, std::vector<std::uint64_t> pages)
      : space_(space), pages_(std::move(pages)) {}
  Result<> read(std::span<MemoryRead> reads) override { return space_.read(reads); }
  Result<std::vector<Mapping>> mappings() override { return space_.mappings(); }
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange>) override {
    std::vector<PageRun> runs;
    for (std::uint64_t page : pages_) {
      runs.push_back({.range = {{page}, 4096}});
      runs.push_back({.range = {{page + 4096}, 4096}, .is_swapped = true});
    }
    return runs;
  }

private:
  AddressSpace &space_;
  std::vector<std::uint64_t> pages_;
};

TEST_F(MapHistoryTest, BytesAreWhereTheirPagesAre) {
  // The array that lies across two pages: 4,096 is its slot 14, and 64 bytes.
  heap.put_table(tables + 32, 1, 16, 13, 1, arrays + 14 * 288);
  heap.memory.put(tables + 32 + heap.layout.swiss.table_local_depth, std::uint8_t{1});
  heap.memory.put(arrays + 14 * 288, (kEmptyGroup & ~0xffULL) | 0x11);
  heap.memory.put(arrays + 14 * 288 + 136, kEmptyGroup);
  WithPages space(heap.memory, {headers, arrays});
  auto census = take_census(space, heap.anchors, heap.facts, {.residency = true});
  ASSERT_TRUE(census) << census.error().message();
  ASSERT_EQ(census->maps.size(), 1u);
  EXPECT_TRUE(census->has_residency);
  EXPECT_EQ(census->maps[0].resident_bytes, 48u + 288 + 64);
  EXPECT_EQ(census->maps[0].swapped_bytes, 288u - 64);
}

} // namespace
} // namespace mapscope
