// The kernel's arithmetic, beside figures that a kernel gave (6.18: bpftool map show, memlock).
#include <limits>

#include <gtest/gtest.h>

#include "vet/bpf_map_memory.h"

namespace mapscope {
namespace {

BpfDeclaredMap map_of(std::uint32_t type, std::uint32_t key, std::uint32_t value,
                      std::uint32_t entries, std::uint32_t flags = 0) {
  return {.type_number = type,
          .key_bytes = key,
          .value_bytes = value,
          .max_entries = entries,
          .flags = flags};
}

TEST(BpfMapMemoryTest, HugeFiguresDoNotWrap) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  for (std::uint32_t type = 0; type < 40; ++type)
    for (const std::uint32_t cpus : {1U, 8192U, kMax})
      if (const auto cost = bpf_map_cost(map_of(type, kMax, kMax, kMax), cpus)) {
        EXPECT_GE(cost->full_bytes, cost->at_load_bytes) << type;
        EXPECT_GT(cost->full_bytes, 1ULL << 30) << type;
      }
  EXPECT_EQ(bpf_map_cost(map_of(5, kMax, kMax, kMax), kMax)->full_bytes,
            std::numeric_limits<std::uint64_t>::max());
}

TEST(BpfMapMemoryTest, OnlyPreallocatedHashesTakeAllAtLoad) {
  const auto all = bpf_map_cost(map_of(1, 8, 8, 1 << 20), 1);
  EXPECT_EQ(all->at_load_bytes, all->full_bytes);
  const auto lazy = bpf_map_cost(map_of(1, 8, 8, 1 << 20, 1), 1);
  EXPECT_EQ(lazy->at_load_bytes, 16u << 20); // its buckets
  EXPECT_GT(lazy->full_bytes, lazy->at_load_bytes);
}

TEST(BpfMapMemoryTest, WhatFollowsFromNothingDeclaredIsAbsent) {
  EXPECT_FALSE(bpf_map_cost(map_of(29, 4, 8, 0), 1)); // task storage: one a task
  EXPECT_FALSE(bpf_map_cost(map_of(77, 4, 8, 100), 1));
  EXPECT_FALSE(bpf_map_cost({}, 1));
}

} // namespace
} // namespace mapscope
