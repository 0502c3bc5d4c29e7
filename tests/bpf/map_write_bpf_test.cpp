// Twin of map_write: which writes are counted, and under which map, type and place.
#include <sys/syscall.h>

#include <algorithm>

#include "kernel/write_learner.h"
#include "support/goroutine_bpf_test.h"

namespace mapscope::testing {
namespace {

constexpr std::uint64_t kType = 0x4beec0;

// The front of maps: the seed is the second word, or its upper half.
alignas(16) std::uint64_t some_map[6] = {100, 0xfeed00000404, 0x10000, 1, 0, 0};
alignas(16) std::uint64_t other_map[6] = {1, 0xbeef, 0x10000, 0, 0, 0};

// mapassign(t, h, key); `left` and `right` are compared before, so that 0 and 1 look like a stack
// that has to grow.
void write_to(const std::uint64_t *map, std::uint64_t left = 1, std::uint64_t right = 0) {
  // A page that this process has not touched since it was forked can't be read by a BPF program.
  if (map) [[maybe_unused]]
    std::uint64_t first = *const_cast<const volatile std::uint64_t *>(map);
  run_on_goroutine({.ax = kType,
                    .bx = reinterpret_cast<std::uint64_t>(map),
                    .number = SYS_getppid,
                    .left = left,
                    .right = right});
}

class MapWriteBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "loading BPF programs needs root";
  }

  // What is counted while `body` runs in a child.
  std::vector<CountedWrite> writes_of(std::function<void()> body, std::uint64_t cookie = 0,
                                      std::uint32_t writes_max = MAP_WRITES_MAX) {
    auto learner = WriteLearner::load(writes_max);
    EXPECT_TRUE(learner) << learner.error().message();
    if (!learner)
      return {};
    HeldChild child{std::move(body)};
    {
      auto links = learner->place("/proc/self/exe", child.pid(),
                                  {{own_address(&fake_map_function).offset, cookie}});
      EXPECT_TRUE(links) << links.error().message();
      child.run();
    }
    auto writes = learner->take();
    EXPECT_TRUE(writes) << writes.error().message();
    counts_ = learner->counts();
    auto rest = learner->take();
    EXPECT_TRUE(rest && rest->empty()) << "what was taken is gone";
    return writes.value_or(std::vector<CountedWrite>{});
  }

  map_write_counts counts_{};
};

TEST_F(MapWriteBpfTest, AWriteIsCountedByMapTypeAndPlace) {
  auto writes = writes_of([] {
    write_to(some_map);
    write_to(other_map);
    write_to(some_map);
  });
  ASSERT_EQ(writes.size(), 2u);
  if (writes[0].key.map != address_of(*reinterpret_cast<const char *>(some_map)))
    std::swap(writes[0], writes[1]);
  EXPECT_EQ(writes[0].key.map, reinterpret_cast<std::uint64_t>(some_map));
  EXPECT_EQ(writes[0].key.map_type, kType);
  EXPECT_EQ(writes[0].key.return_address, address_of(fake_after_map_call));
  EXPECT_EQ(writes[0].value.hits, 2u);
  EXPECT_EQ(writes[1].key.map, reinterpret_cast<std::uint64_t>(other_map));
  EXPECT_EQ(writes[1].value.hits, 1u);
  EXPECT_EQ(counts_.hits, 3u);
}

TEST_F(MapWriteBpfTest, TheSeedIsReadAtTheFirstWrite) {
  auto writes = writes_of([] {
    write_to(some_map);
    some_map[1] = 0xdead; // cleared, or another map
    write_to(some_map);
  });
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_TRUE(writes[0].value.header_read);
  EXPECT_EQ(writes[0].value.header_word, 0xfeed00000404u);
}

TEST_F(MapWriteBpfTest, AHeaderThatCannotBeReadIsSaid) {
  auto writes =
      writes_of([] { run_on_goroutine({.ax = kType, .bx = 0x1000, .number = SYS_getppid}); });
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_FALSE(writes[0].value.header_read);
}

TEST_F(MapWriteBpfTest, AWriteToNoMapIsCountedAsAHitOnly) {
  EXPECT_TRUE(writes_of([] { write_to(nullptr); }).empty());
  EXPECT_EQ(counts_.hits, 1u);
  EXPECT_EQ(counts_.lost_table_full + counts_.lost_unreadable, 0u);
}

TEST_F(MapWriteBpfTest, WhatDoesNotFitIsCountedAsLost) {
  static std::uint64_t maps[64][6] = {};
  auto writes = writes_of(
      [] {
        for (auto &map : maps)
          write_to(map);
      },
      0, 8);
  EXPECT_EQ(writes.size(), 8u);
  EXPECT_EQ(counts_.hits, 64u);
  EXPECT_EQ(counts_.lost_table_full, 56u);
}

TEST_F(MapWriteBpfTest, AFunctionThatIsAboutToGrowTheStackIsEnteredAgain) {
  auto writes = writes_of(
      [] {
        write_to(some_map, 0, 1);
        write_to(some_map);
      },
      PROBE_COOKIE_STACK_CHECK(true));
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].value.hits, 1u);
}

// Runs in the process of the test below, after its exec.
TEST_F(MapWriteBpfTest, DISABLED_WritesAfterAnExec) { write_to(other_map); }

TEST_F(MapWriteBpfTest, WritesAfterAnExecAreNotMixedWithThoseBefore) {
  auto writes = writes_of([] {
    write_to(some_map);
    ::execl("/proc/self/exe", "map_write_bpf_test", "--gtest_also_run_disabled_tests",
            "--gtest_brief=1", "--gtest_filter=*DISABLED_WritesAfterAnExec", nullptr);
  });
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].key.map, reinterpret_cast<std::uint64_t>(some_map));
  EXPECT_EQ(counts_.of_another_image, 1u);
}

} // namespace
} // namespace mapscope::testing
