// What is advised of a kernel map, and what is not.
#include "judge/bpf_map_advice.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

BpfMapSample map_of(std::string type, std::uint64_t entries, std::uint32_t max_entries) {
  BpfMapSample map;
  map.facts.type = std::move(type);
  map.facts.max_entries = max_entries;
  map.facts.memory_bytes = 64U << 20;
  map.fill = {.entries = entries,
              .method = BpfMethod::counted,
              .fill = static_cast<double>(entries) / max_entries};
  return map;
}

std::string first_of(const BpfMapSample &map) {
  const auto advice = advice_for(map);
  return advice.empty() ? "" : advice.front();
}

TEST(BpfMapAdviceTest, AFullMapIsToldByItsType) {
  EXPECT_NE(first_of(map_of("hash", 95, 100)).find("E2BIG"), std::string::npos);
  EXPECT_NE(first_of(map_of("lpm_trie", 95, 100)).find("ENOSPC"), std::string::npos);
  EXPECT_NE(first_of(map_of("lru_hash", 95, 100)).find("drops an entry"), std::string::npos);
  EXPECT_EQ(first_of(map_of("array", 100, 100)), "");
}

TEST(BpfMapAdviceTest, SmallMapsAreMadeToBeFull) { EXPECT_EQ(first_of(map_of("hash", 4, 4)), ""); }

TEST(BpfMapAdviceTest, WhatIsTakenBeforehandAndNotUsedIsTold) {
  BpfMapSample map = map_of("hash", 1, 1'000'000);
  EXPECT_NE(first_of(map).find("BPF_F_NO_PREALLOC"), std::string::npos);
  EXPECT_NE(first_of(map).find("64.0 MiB"), std::string::npos);
  map.facts.flag_names = {"BPF_F_NO_PREALLOC"};
  EXPECT_EQ(first_of(map), "");
  EXPECT_EQ(first_of(map_of("lru_hash", 1, 1'000'000)).find("BPF_F_NO_PREALLOC"),
            std::string::npos); // an LRU map has to
  BpfMapSample unknown = map_of("hash", 1, 1'000'000);
  unknown.facts.memory_bytes.reset();
  EXPECT_EQ(first_of(unknown), "");
}

TEST(BpfMapAdviceTest, FailuresComeFirst) {
  BpfMapSample map = map_of("hash", 100, 100);
  map.rates = BpfMapRates{.window_ns = 1'000'000'000, .insert_failures = {{"E2BIG", 3}}};
  EXPECT_EQ(first_of(map), "3 updates failed in 1.00 s: E2BIG 3");
}

} // namespace
} // namespace mapscope
