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

// bpftool map create ... flags F; bpftool -j map show: bytes_memlock, on two CPUs.
TEST(BpfMapMemoryTest, AgreesWithAKernel) {
  struct Measured {
    BpfDeclaredMap map;
    std::uint64_t at_load_bytes;
  };
  const Measured kMeasured[] = {
      {map_of(1, 8, 24, 1'000'000), 96'778'288}, {map_of(1, 8, 24, 1'000'000, 1), 16'778'112},
      {map_of(2, 4, 100, 100'000), 10'400'312},  {map_of(5, 4, 64, 10'000), 2'183'040},
      {map_of(6, 4, 1024, 1000), 2'056'312},     {map_of(7, 4, 1016, 1000), 1'040'512},
      {map_of(9, 4, 24, 65'536), 6'292'352},     {map_of(10, 4, 64, 10'000), 2'183'040},
      {map_of(22, 0, 64, 10'000), 640'376},      {map_of(27, 0, 0, 4 << 20), 4'223'304},
      {map_of(30, 0, 8, 100'000), 131'384},
  };
  for (const Measured &measured : kMeasured) {
    const auto cost = bpf_map_cost(measured.map, 2);
    ASSERT_TRUE(cost);
    const auto estimated = static_cast<double>(cost->at_load_bytes);
    EXPECT_NEAR(estimated, static_cast<double>(measured.at_load_bytes), 0.01 * estimated)
        << "type " << *measured.map.type_number;
  }
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
