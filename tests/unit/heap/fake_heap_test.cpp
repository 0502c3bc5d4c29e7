// Each rule of the census, on a heap where one thing at a time can be wrong.
#include <bit>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "heap/bulk_read.h"
#include "heap/census.h"
#include "heap/span_table.h"
#include "unit/heap/fake_heap.h"

namespace mapscope {
namespace {

using testing::FakeHeap;

constexpr std::uint64_t kEmptyGroup = 0x8080808080808080;

// One map of one group, one of a table of 16 slots with a tombstone, one that was never written to.
class FakeHeapTest : public ::testing::Test {
protected:
  FakeHeapTest() {
    for (unsigned slot = 0; slot < 3; ++slot)
      heap.allocate_header(headers, 0, slot);
    heap.put_header(small, 3, groups, 0);
    heap.memory.put(groups, (kEmptyGroup & ~0xffffffULL) | 0x112233);

    heap.put_header(tabled, 9, directories, 1);
    heap.memory.put(directories, tables);
    heap.put_table(tables, 9, 16, 4, 0, arrays);
    heap.memory.put(arrays, std::uint64_t{0x0102030405060708});         // 8 full
    heap.memory.put(arrays + 136, (kEmptyGroup & ~0xffffULL) | 0x7efe); // 1 full, 1 deleted
    heap.put_header(unwritten, 0, 0, 0);
    // mheap_ is known by its first spans, of which a heap has more than these.
    for (int i = 0; i < 4; ++i)
      heap.add_span(1024, false);
  }

  Census census() {
    auto taken = take_census(heap.memory, heap.anchors, heap.facts);
    EXPECT_TRUE(taken) << taken.error().message();
    return taken ? std::move(*taken) : Census{};
  }
  std::optional<MapSample> find(std::uint64_t address) {
    Census taken = census();
    for (std::size_t i = 0; i < taken.maps.size(); ++i)
      if (taken.maps[i].address.value == address)
        return taken.maps[i];
    return std::nullopt;
  }

  FakeHeap heap;
  std::uint64_t headers = heap.add_span(48, true);
  std::uint64_t groups = heap.add_span(144, false);
  std::uint64_t directories = heap.add_span(8, true);
  std::uint64_t tables = heap.add_span(32, true);
  std::uint64_t arrays = heap.add_span(288, false);
  std::uint64_t small = headers, tabled = headers + 48, unwritten = headers + 96;
};

TEST_F(FakeHeapTest, ASmallMapIsItsHeaderAndOneGroup) {
  auto map = find(small);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->len, 3u);
  EXPECT_EQ(map->slots, 8u);
  EXPECT_EQ(map->evidence, MapEvidence::consistent);
  EXPECT_EQ(map->bytes.total(), 48u + 144);
  EXPECT_EQ(map->bytes.control, 8u);
}

TEST_F(FakeHeapTest, TheControlWordsTellTheSizeOfAGroup) {
  auto map = find(tabled);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->len, 9u);
  EXPECT_EQ(map->slots, 16u);
  EXPECT_EQ(map->tombstones, 1u);
  EXPECT_EQ(map->group_bytes, 136u);
  EXPECT_EQ(
      map->bytes,
      (MapBytes{
          .header = 48, .directory = 8 + 32, .control = 16, .cells = 256, .rounding = 288 - 272}));
}

TEST_F(FakeHeapTest, AHeaderWithoutContentsIsOnlyPlausible) {
  auto map = find(unwritten);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->evidence, MapEvidence::plausible);
  EXPECT_EQ(map->bytes.total(), 48u);
}

TEST_F(FakeHeapTest, FindsMheapInTheDataAndAmongWrongCandidates) {
  heap.anchors.mheap_candidates = {{0}, {FakeHeap::kData}, {FakeHeap::kSpans}};
  auto root = find_heap(heap.memory, heap.anchors, heap.layout);
  ASSERT_TRUE(root) << root.error().message();
  EXPECT_EQ(root->mheap, FakeHeap::kMheap);
  EXPECT_EQ(root->span_count, 9u);
}

// Where user space has 48 bits, the kernel puts what the runtime maps for itself above the 47 of
// x86-64.
TEST_F(FakeHeapTest, WhatTheRuntimeMapsForItselfMayLieAtTheTopOfUserSpace) {
  constexpr std::uint64_t kFirst = FakeHeap::kSpans, kEnd = FakeHeap::kHeapArenas + 0x1000000;
  constexpr std::uint64_t kUp = 0xffff00000000;
  std::map<std::uint64_t, std::vector<std::byte>> moved;
  for (auto &[start, bytes] : heap.memory.ranges()) {
    for (std::size_t offset = 0; offset + 8 <= bytes.size(); offset += 8)
      if (auto word = load<std::uint64_t>(bytes, offset); word >= kFirst && word < kEnd) {
        word += kUp;
        std::memcpy(&bytes[offset], &word, sizeof word);
      }
    moved[start >= kFirst && start < kEnd ? start + kUp : start] = std::move(bytes);
  }
  heap.memory.ranges() = std::move(moved);
  EXPECT_TRUE(find(small));
  EXPECT_TRUE(find(tabled));
}

TEST_F(FakeHeapTest, AFreeSlotIsNoMap) {
  *heap.memory.at(FakeHeap::kBits) &= std::byte{0xfe};
  EXPECT_FALSE(find(small));
  EXPECT_TRUE(find(tabled));
}

// Until the sweep, the marks of the last cycle tell what is dead.
TEST_F(FakeHeapTest, AnUnmarkedHeaderOfAnUnsweptSpanIsNoMap) {
  heap.memory.put(heap.mspan_of(0) + heap.layout.span.sweepgen, FakeHeap::kSweepgen - 2);
  heap.set_bit(headers + kGoPageBytes - 64, 1); // the inline marks of green tea
  EXPECT_FALSE(find(small));
  EXPECT_TRUE(find(tabled));
}

TEST_F(FakeHeapTest, ACopiedHeaderCountsOnce) {
  heap.allocate_header(headers, 0, 5);
  heap.put_header(headers + 5 * 48, 9, directories, 1);
  Census taken = census();
  EXPECT_EQ(taken.maps.size(), 3u);
  ASSERT_EQ(taken.copies.size(), 1u);
  EXPECT_EQ(taken.copies[0].contents.value, directories);
}

// Arenas that follow each other are one to the runtime.
TEST_F(FakeHeapTest, ASpanMayBeginInOneArenaAndEndInTheNext) {
  std::uint64_t start = heap.add_span(18432, false, 9);
  ASSERT_NE(start / FakeHeap::kArenaBytes, (start + 9 * kGoPageBytes) / FakeHeap::kArenaBytes);
  auto root = find_heap(heap.memory, heap.anchors, heap.layout);
  ASSERT_TRUE(root);
  auto spans = SpanTable::read(heap.memory, *root, heap.layout);
  ASSERT_TRUE(spans);
  for (std::uint64_t slot = 0; slot < 4; ++slot) {
    auto object = spans->find_object_at(start + slot * 18432);
    ASSERT_TRUE(object) << slot;
    EXPECT_EQ(object->slot, slot);
  }
}

// Anything that two places disagree on makes it no map, and costs no other map.
TEST_F(FakeHeapTest, WhatContradictsItselfIsNoMap) {
  const SwissLayout &at = heap.layout.swiss;
  auto &memory = heap.memory;
  struct Lie {
    const char *name;
    std::function<void()> tell;
  };
  const std::vector<Lie> lies = {
      {"len", [&] { memory.put(tabled + at.used, std::uint64_t{10}); }},
      {"seed", [&] { memory.put(tabled + at.seed, std::uint64_t{77}); }},
      {"depth", [&] { memory.put(tabled + at.global_depth, std::uint8_t{1}); }},
      {"shift", [&] { memory.put(tabled + at.global_shift, std::uint8_t{63}); }},
      {"writing", [&] { memory.put(tabled + at.writing, std::uint8_t{2}); }},
      {"clear sequence", [&] { memory.put(tabled + at.clear_seq, ~std::uint64_t{0}); }},
      {"directory", [&] { memory.put(tabled + at.dir_ptr, directories + 4); }},
      {"directory length", [&] { memory.put(tabled + at.dir_len, std::uint64_t{2}); }},
      {"table", [&] { memory.put(directories, tables + 8); }},
      {"table length", [&] { memory.put(tables + at.table_used, std::uint16_t{8}); }},
      {"capacity", [&] { memory.put(tables + at.table_capacity, std::uint16_t{32}); }},
      {"growth left", [&] { memory.put(tables + at.table_growth_left, std::uint16_t{6}); }},
      {"tombstones", [&] { memory.put(tables + at.table_growth_left, std::uint16_t{5}); }},
      {"local depth", [&] { memory.put(tables + at.table_local_depth, std::uint8_t{1}); }},
      {"index", [&] { memory.put(tables + at.table_index, ~std::uint64_t{0}); }},
      {"length mask", [&] { memory.put(tables + at.table_length_mask, std::uint64_t{3}); }},
      {"groups", [&] { memory.put(tables + at.table_groups, arrays + 16); }},
      {"control word", [&] { memory.put(arrays, std::uint64_t{0x8102030405060708}); }},
  };
  for (const Lie &lie : lies) {
    auto before = memory.ranges();
    lie.tell();
    EXPECT_FALSE(find(tabled)) << lie.name;
    EXPECT_TRUE(find(small)) << lie.name;
    memory.ranges() = before;
    EXPECT_TRUE(find(tabled)) << lie.name;
  }
}

// A process may write what it likes over its own runtime. The census must end, and read nothing
// that is not its own; the sanitizers watch.
TEST_F(FakeHeapTest, GarbageInTheHeapIsNeverMoreThanUnreadable) {
  std::mt19937_64 random(1);
  auto intact = heap.memory.ranges();
  std::size_t found_count = 0;
  for (int round = 0; round < 500; ++round) {
    for (int i = 0; i < 1 + round % 32; ++i) {
      auto range = std::next(heap.memory.ranges().begin(),
                             static_cast<std::ptrdiff_t>(random() % intact.size()));
      // Mostly where structures are: at the beginning, or where something was written.
      std::size_t offset = random() % std::min<std::size_t>(range->second.size(), 512) & ~7ULL;
      if (range->first == FakeHeap::kData)
        offset = 4096 + heap.layout.mheap.sweepgen + random() % 256;
      if (range->second.size() - offset < 8)
        continue;
      std::uint64_t value = random() % 4 == 0   ? random()
                            : random() % 2 == 0 ? random() % 70000
                                                : FakeHeap::kStart + random() % (1 << 20);
      std::memcpy(&range->second[offset], &value, 8);
    }
    if (auto taken = take_census(heap.memory, heap.anchors, heap.facts))
      found_count += taken->maps.size();
    heap.memory.ranges() = intact;
  }
  EXPECT_GT(found_count, 100u) << "the garbage left nothing to read";
}

} // namespace
} // namespace mapscope
