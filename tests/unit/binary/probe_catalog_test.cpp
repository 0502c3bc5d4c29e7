// Names of Go functions told from each other, and ranges of them merged.
#include "binary/probe_catalog.h"

#include <gtest/gtest.h>

#include "binary/probe_text.h"

namespace mapscope {
namespace {

TEST(ProbeCatalogTest, OnlyTheRuntimesOwnPackagesAreTheRuntime) {
  EXPECT_TRUE(is_runtime_package("runtime"));
  EXPECT_TRUE(is_runtime_package("internal/runtime/syscall/linux"));
  EXPECT_FALSE(is_runtime_package("runtime/debug"));
  EXPECT_FALSE(is_runtime_package("runtime.example.com/x"));
  EXPECT_FALSE(is_runtime_package(""));
}

TEST(ProbeCatalogTest, ReadersAreNoWriters) {
  EXPECT_TRUE(is_map_writer("runtime.mapassign_faststr"));
  EXPECT_TRUE(is_map_writer("internal/runtime/maps.(*table).uncheckedPutSlotForAssignFast64"));
  EXPECT_FALSE(is_map_writer("runtime.mapaccess1_faststr"));
  EXPECT_FALSE(is_map_writer("internal/runtime/maps.(*Iter).Next"));
  EXPECT_FALSE(is_map_writer("internal/runtime/maps.(*Map).getWithKey"));
}

FunctionRange function(std::uint64_t start, std::uint64_t size_bytes) {
  return {"f", {{start}, size_bytes}};
}

TEST(MergeRangesTest, AGapOfMoreThan16KibSeparates) {
  auto merged = merge_ranges({function(0x1000, 0x100), function(0x5100, 0x100)}, 4);
  EXPECT_EQ(merged, (std::vector<ElfRange>{{{0x1000}, 0x4200}}));
  auto apart = merge_ranges({function(0x1000, 0x100), function(0x5101, 0x100)}, 4);
  EXPECT_EQ(apart, (std::vector<ElfRange>{{{0x1000}, 0x100}, {{0x5101}, 0x100}}));
}

TEST(MergeRangesTest, TheClosestAreMergedUntilTheyFit) {
  auto merged = merge_ranges({function(0x10000, 1), function(0x40000, 1), function(0x50000, 1)}, 2);
  EXPECT_EQ(merged, (std::vector<ElfRange>{{{0x10000}, 1}, {{0x40000}, 0x10001}}));
  EXPECT_TRUE(merge_ranges({}, 4).empty());
}

} // namespace
} // namespace mapscope
