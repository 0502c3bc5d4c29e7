// Limits of memory as cgroups and the runtime tell them, from files of both versions.
#include "attach/memory_limits.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

namespace fs = std::filesystem;

class MemoryLimitsTest : public ::testing::Test {
protected:
  void SetUp() override { write("proc/7/statm", "5000 1000 200 1 0 900 0\n"); }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string &path, const std::string &text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream{root / path} << text;
  }
  void write_cgroup(const std::string &path, const std::string &limit, const std::string &current,
                    const std::string &inactive) const {
    write("cgroup" + path + "/memory.max", limit + "\n");
    write("cgroup" + path + "/memory.current", current + "\n");
    write("cgroup" + path + "/memory.stat",
          "anon 1\nfile 2\nactive_file 5\ninactive_file " + inactive + "\n");
  }
  MemoryLimits read(const HeapStatistics &heap = {}) const {
    const auto limits = MemoryLimitReader{root / "proc", root / "cgroup"}.read(7, heap);
    EXPECT_TRUE(limits) << limits.error().message();
    return limits.value_or(MemoryLimits{});
  }

  fs::path root = fs::temp_directory_path() / fmt::format("mapscope-limits-{}", ::getpid());
};

TEST_F(MemoryLimitsTest, ResidentMemoryIsInBytes) {
  EXPECT_EQ(read().resident_bytes, 1000 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

TEST_F(MemoryLimitsTest, WhatIsNotToldIsAbsent) {
  const MemoryLimits limits = read();
  EXPECT_FALSE(limits.cgroup_limit_bytes);
  EXPECT_FALSE(limits.cgroup_bytes);
  EXPECT_FALSE(limits.go_limit_bytes);
  EXPECT_EQ(share_of_limit(limits), 0);
}

TEST_F(MemoryLimitsTest, TheWorkingSetCountsAndNotFilesThatNobodyUses) {
  write("proc/7/cgroup", "0::/app\n");
  write_cgroup("/app", "1000", "900", "300");
  const MemoryLimits limits = read();
  EXPECT_EQ(limits.cgroup_bytes, 600U);
  EXPECT_EQ(limits.cgroup_limit_bytes, 1000U);
  EXPECT_DOUBLE_EQ(share_of_limit(limits), 0.6);
}

TEST_F(MemoryLimitsTest, TheTightestOfAllAboveCounts) {
  write("proc/7/cgroup", "0::/slice/service/app\n");
  write_cgroup("/slice", "10000", "9500", "0");
  write_cgroup("/slice/service", "1000", "500", "0");
  write_cgroup("/slice/service/app", "max", "400", "0");
  const MemoryLimits limits = read();
  EXPECT_EQ(limits.cgroup_bytes, 9500U);
  EXPECT_EQ(limits.cgroup_limit_bytes, 10000U);
}

TEST_F(MemoryLimitsTest, NoLimitIsNone) {
  write("proc/7/cgroup", "0::/app\n");
  write_cgroup("/app", "max", "900", "0");
  EXPECT_FALSE(read().cgroup_limit_bytes);
}

TEST_F(MemoryLimitsTest, TheFirstVersionOfTheControllerIsUsedWhereItHasIt) {
  write("proc/7/cgroup", "12:cpu,cpuacct:/x\n5:memory:/docker/abc\n0::/other\n");
  write("cgroup/memory/docker/abc/memory.limit_in_bytes", "1000\n");
  write("cgroup/memory/docker/abc/memory.usage_in_bytes", "800\n");
  write("cgroup/memory/docker/abc/memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const MemoryLimits limits = read();
  EXPECT_EQ(limits.cgroup_bytes, 750U);
  EXPECT_EQ(limits.cgroup_limit_bytes, 1000U);
}

TEST_F(MemoryLimitsTest, WhatLiesOutsideOfThisNamespaceIsNotGuessed) {
  write("proc/7/cgroup", "0::/../other\n");
  write_cgroup("", "1000", "999", "0");
  write("cgroup/other", "");
  EXPECT_FALSE(read().cgroup_limit_bytes);
}

TEST_F(MemoryLimitsTest, NonsenseIsNoNumber) {
  write("proc/7/cgroup", "garbage\n:\n0:\n0::/app");
  write("cgroup/app/memory.max", "-5\n");
  write("cgroup/app/memory.current", "\n");
  EXPECT_FALSE(read().cgroup_limit_bytes);
  write_cgroup("/app", "0", "10", "99");
  EXPECT_EQ(share_of_limit(read()), 0);
}

TEST_F(MemoryLimitsTest, TheRuntimesLimitCountsWhatIsMappedAndNotGivenBack) {
  const MemoryLimits limits =
      read({.in_use_bytes = 700, .idle_bytes = 300, .released_bytes = 100, .limit_bytes = 1000});
  EXPECT_EQ(limits.go_used_bytes, 900U);
  EXPECT_EQ(limits.go_limit_bytes, 1000U);
  EXPECT_DOUBLE_EQ(share_of_limit(limits), 0.9);
}

TEST_F(MemoryLimitsTest, AProcessThatHasEndedIsGone) {
  const auto limits = MemoryLimitReader{root / "proc", root / "cgroup"}.read(8, {});
  ASSERT_FALSE(limits);
  EXPECT_EQ(limits.error().code(), Errc::gone);
}

TEST_F(MemoryLimitsTest, ThisProcessHasMemory) {
  const auto limits = MemoryLimitReader{}.read(::getpid(), {});
  ASSERT_TRUE(limits);
  EXPECT_GT(limits->resident_bytes, 1U << 20);
}

} // namespace
} // namespace mapscope
