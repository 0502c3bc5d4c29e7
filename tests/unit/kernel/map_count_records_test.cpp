// Records of the counting programs as figures, and bytes of keys as text.
#include "kernel/bpf_maps/map_count_records.h"

#include <vector>

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include "kernel/bpf_maps/map_data_text.h"

namespace mapscope {
namespace {

bpf_map_count record_of(std::uint32_t id, std::uint32_t type, std::uint32_t has) {
  bpf_map_count record{};
  record.id = id;
  record.type = type;
  record.has = has;
  return record;
}

BpfMapFacts facts_of_type(std::uint32_t type, std::uint32_t max_entries) {
  BpfMapFacts facts;
  facts.id = 7;
  facts.type_number = type;
  facts.max_entries = max_entries;
  return facts;
}

std::vector<std::byte> bytes_of(const std::vector<bpf_map_count> &records) {
  const auto bytes = std::as_bytes(std::span{records});
  return {bytes.begin(), bytes.end()};
}

TEST(MapCountRecordsTest, RecordsOfOneMapBecomeOne) {
  bpf_map_count own = record_of(7, BPF_MAP_TYPE_HASH, BPF_MAP_HAS_ROUGH);
  own.rough = 64;
  bpf_map_count counter = record_of(7, BPF_MAP_TYPE_HASH, BPF_MAP_HAS_COUNTER);
  counter.counter = 70;
  MapCountTable table;
  const auto bytes = bytes_of({own, counter});
  EXPECT_EQ(take_count_records(bytes, table), bytes.size());
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table.at(7).rough, 64);
  EXPECT_EQ(table.at(7).counter, 70);
  const auto fill = fill_of_record(facts_of_type(BPF_MAP_TYPE_HASH, 100), table.at(7));
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->method, BpfMethod::counted);
  EXPECT_EQ(fill->entries, 70u);
  EXPECT_DOUBLE_EQ(fill->fill.value(), 0.7);
}

TEST(MapCountRecordsTest, APartOfARecordWaitsForTheRest) {
  const auto bytes = bytes_of({record_of(1, 1, BPF_MAP_HAS_COUNTER), record_of(2, 1, 0)});
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    MapCountTable table;
    const std::size_t taken = take_count_records(std::span{bytes}.first(length), table);
    EXPECT_EQ(taken, length / 64 * 64);
    EXPECT_EQ(table.size(), length / 64);
  }
}

TEST(MapCountRecordsTest, ARecordThatSaysNothingIsNoFigure) {
  EXPECT_FALSE(
      fill_of_record(facts_of_type(BPF_MAP_TYPE_HASH, 100), record_of(7, BPF_MAP_TYPE_HASH, 0)));
  EXPECT_FALSE(fill_of_record(facts_of_type(BPF_MAP_TYPE_PROG_ARRAY, 100),
                              record_of(7, BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TOO_MANY_SLOTS)));
  // Of another type than bpf(2) says: not this map.
  EXPECT_FALSE(fill_of_record(facts_of_type(BPF_MAP_TYPE_HASH, 100),
                              record_of(7, BPF_MAP_TYPE_QUEUE, BPF_MAP_HAS_OWN_COUNT)));
}

TEST(MapCountRecordsTest, ACounterBelowZeroIsNone) {
  bpf_map_count record = record_of(7, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_HAS_COUNTER);
  record.counter = -1;
  const auto fill = fill_of_record(facts_of_type(BPF_MAP_TYPE_LRU_HASH, 100), record);
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->entries, 0u);
  EXPECT_EQ(fill->note, "the kernel's counter; a full one evicts");
}

TEST(MapCountRecordsTest, PositionsThatContradictEachOtherAreNoFill) {
  bpf_map_count record = record_of(7, BPF_MAP_TYPE_RINGBUF, BPF_MAP_HAS_POSITIONS);
  const BpfMapFacts ring = facts_of_type(BPF_MAP_TYPE_RINGBUF, 4096);
  record.consumed = 1'000'000;
  record.produced = 1'001'024;
  auto fill = fill_of_record(ring, record);
  EXPECT_EQ(fill->used_bytes, 1024u);
  EXPECT_DOUBLE_EQ(fill->fill.value(), 0.25);
  EXPECT_FALSE(fill->entries);
  record.produced = 999'999; // behind the consumer
  fill = fill_of_record(ring, record);
  EXPECT_EQ(fill->method, BpfMethod::unknown);
  EXPECT_FALSE(fill->used_bytes || fill->fill);
  record.produced = 1'004'097; // more than there is room for
  EXPECT_EQ(fill_of_record(ring, record)->method, BpfMethod::unknown);
  record.consumed = UINT64_MAX - 9; // around the end of the numbers
  record.produced = 90;
  EXPECT_EQ(fill_of_record(ring, record)->used_bytes, 100u);
}

TEST(MapCountRecordsTest, WithoutALimitThereIsNoFill) {
  bpf_map_count record = record_of(7, BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_HAS_SLOTS);
  record.own_count = 12;
  const auto fill = fill_of_record(facts_of_type(BPF_MAP_TYPE_SK_STORAGE, 0), record);
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->entries, 12u);
  EXPECT_EQ(fill->method, BpfMethod::walked);
  EXPECT_FALSE(fill->fill);
}

TEST(MapCountRecordsTest, WhatCpusHaveNotAddedYetIsTheError) {
  bpf_map_count record = record_of(7, BPF_MAP_TYPE_HASH, BPF_MAP_HAS_ROUGH);
  record.rough = 10'000;
  const BpfMapFacts hash = facts_of_type(BPF_MAP_TYPE_HASH, 100'000);
  const auto fill = rough_fill_of_record(hash, record, 8);
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->method, BpfMethod::sampled);
  EXPECT_EQ(fill->entries, 10'000u);
  EXPECT_EQ(fill->error, 256u);
  record.has = BPF_MAP_HAS_COUNTER;
  EXPECT_FALSE(rough_fill_of_record(hash, record, 8));
}

TEST(MapDataTextTest, NumbersAreNumbersAndTheRestIsHex) {
  const std::uint32_t small = 42;
  EXPECT_EQ(map_bytes_text(std::as_bytes(std::span{&small, 1})), "0x0000002a (42)");
  const std::uint64_t large = 1ull << 40;
  EXPECT_EQ(map_bytes_text(std::as_bytes(std::span{&large, 1})),
            "0x0000010000000000 (1099511627776)");
  const char name[6] = {'m', 'a', 'p', '\x1b', '"', '\0'};
  EXPECT_EQ(map_bytes_text(std::as_bytes(std::span{name})), "6d 61 70 1b 22 00 \"map...\"");
  EXPECT_EQ(map_bytes_text({}), "\"\"");
}

TEST(MapDataTextTest, NothingIsLongerThanALine) {
  for (const std::size_t length : {59u, 60u, 61u, 62u, 63u, 64u, 1000u, 100'000u}) {
    const std::vector<std::byte> bytes(length, std::byte{0x41});
    const std::string text = map_bytes_text(bytes);
    EXPECT_LE(text.size(), kMapDataTextMax) << length;
    EXPECT_EQ(text.contains("..."), length > 62) << length;
  }
  EXPECT_LE(cut_map_text(std::string(300, 'x')).size(), kMapDataTextMax);
  EXPECT_TRUE(cut_map_text(std::string(5000, 'x')).ends_with("..."));
  EXPECT_EQ(cut_map_text(std::string(256, 'x')), std::string(256, 'x'));
  // A character of three bytes is not cut in the middle.
  std::string euros;
  for (int i = 0; i < 100; ++i)
    euros += "\u20ac";
  EXPECT_EQ(cut_map_text(euros).find('?'), std::string::npos);
}

} // namespace
} // namespace mapscope
