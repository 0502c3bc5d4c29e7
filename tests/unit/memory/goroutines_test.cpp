// Goroutines made by hand in this process, whole and damaged.
#include "memory/goroutines.h"

#include <array>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process_files.h"
#include "memory/live_process.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kRunnable = 1, kRunning = 2, kWaiting = 4, kDead = 6, kScan = 0x1000;

// A g of 20 words in an order of its own, and a stack of 1,000 words.
struct FakeG {
  enum Field { lo, hi, status, goid, pc, sp, bp, self, fields = 20 };
  std::array<std::uint64_t, fields> g{};
  std::vector<std::uint64_t> stack = std::vector<std::uint64_t>(1000);

  FakeG(std::uint64_t id, std::uint32_t state, std::size_t depth_words) {
    for (std::size_t i = 0; i < stack.size(); ++i)
      stack[i] = id * 10'000 + i;
    g[lo] = reinterpret_cast<std::uint64_t>(stack.data());
    g[hi] = g[lo] + stack.size() * 8;
    g[status] = state;
    g[goid] = id;
    g[pc] = id + 1;
    g[sp] = g[hi] - depth_words * 8;
    g[bp] = id + 2;
    g[self] = reinterpret_cast<std::uint64_t>(g.data());
  }
};

struct Slice {
  std::uint64_t data, len, cap;
};

class GoroutinesTest : public ::testing::Test {
protected:
  GoroutinesTest() {
    const auto pid = static_cast<std::uint32_t>(::getpid());
    memory_ = *LiveProcess::open({pid, read_process_stat(::getpid())->start_time_ns});
    facts_.path = "/srv/program";
    // The list is told relative to a load bias.
    bias_ = {0x1000};
    facts_.all_goroutines = bias_.to_elf({reinterpret_cast<std::uint64_t>(&list_)});
    facts_.layout.offsets = {
        {"runtime.g.stack.lo", 8 * FakeG::lo},         {"runtime.g.stack.hi", 8 * FakeG::hi},
        {"runtime.g.atomicstatus", 8 * FakeG::status}, {"runtime.g.goid", 8 * FakeG::goid},
        {"runtime.g.sched.pc", 8 * FakeG::pc},         {"runtime.g.sched.sp", 8 * FakeG::sp},
        {"runtime.g.sched.bp", 8 * FakeG::bp},         {"runtime.g.sched.g", 8 * FakeG::self}};
  }

  FakeG &add(std::uint64_t id, std::uint32_t state, std::size_t depth_words) {
    fakes_.push_back(std::make_unique<FakeG>(id, state, depth_words));
    return *fakes_.back();
  }

  Result<GoroutineSnapshot> read(const GoroutineLimits &limits = {}) {
    addresses_.clear();
    for (const auto &fake : fakes_)
      addresses_.push_back(reinterpret_cast<std::uint64_t>(fake->g.data()));
    list_ = {reinterpret_cast<std::uint64_t>(addresses_.data()), addresses_.size(),
             addresses_.capacity()};
    return read_goroutines(*memory_, facts_, bias_, limits);
  }

  std::unique_ptr<LiveProcess> memory_;
  BinaryFacts facts_;
  LoadBias bias_;
  std::vector<std::unique_ptr<FakeG>> fakes_;
  std::vector<std::uint64_t> addresses_;
  Slice list_{};
};

TEST_F(GoroutinesTest, AreReadWithTheirStacksRunningOnesFirst) {
  add(1, kWaiting, 3);
  add(2, kDead, 3);
  const FakeG &running = add(3, kRunning | kScan, 10);
  const auto snapshot = read();
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  EXPECT_TRUE(snapshot->is_complete);
  ASSERT_EQ(snapshot->goroutines.size(), 2u);
  const GoroutineStack &first = snapshot->goroutines[0], &second = snapshot->goroutines[1];
  EXPECT_EQ(first.goid, 3u);
  EXPECT_EQ(first.status, kRunning);
  EXPECT_EQ(first.words.size(), 512u);
  EXPECT_EQ(first.words_address, running.g[FakeG::hi] - 512 * 8);
  EXPECT_EQ(first.words.back(), 30'999u);
  EXPECT_EQ(second.goid, 1u);
  EXPECT_EQ(second.pc, 2u);
  EXPECT_EQ(second.fp, 3u);
  EXPECT_EQ(second.stack_hi, fakes_[0]->g[FakeG::hi]);
  EXPECT_EQ(second.words_address, second.sp);
  EXPECT_EQ(second.words, (std::vector<std::uint64_t>{10'997, 10'998, 10'999}));
}

TEST_F(GoroutinesTest, ADeepStackIsReadFromItsInnermostFrameOn) {
  add(1, kRunnable, 900);
  auto snapshot = read();
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE(snapshot->is_complete);
  EXPECT_EQ(snapshot->goroutines[0].words.size(), 512u);
  EXPECT_EQ(snapshot->goroutines[0].words.front(), 10'100u);
}

TEST_F(GoroutinesTest, OfARunningOneTheWordsAreWhereItLastStoppedOrTheOutermost) {
  FakeG &fake = add(1, kRunning, 900);
  EXPECT_EQ(read()->goroutines[0].words.front(), 10'000u); // 100 - 256 is beyond the stack's end
  fake.g[FakeG::sp] = fake.g[FakeG::hi] - 700 * 8;
  EXPECT_EQ(read()->goroutines[0].words.front(), 10'300u - 256u);
  fake.g[FakeG::sp] = 0; // as gogo leaves it
  EXPECT_EQ(read()->goroutines[0].words.front(), 11'000u - 512u);
  EXPECT_EQ(read({.words_max = 2000})->goroutines[0].words.size(), 1000u);
}

TEST_F(GoroutinesTest, LimitsMakeASnapshotIncomplete) {
  for (std::uint64_t id = 1; id <= 5; ++id)
    add(id, id == 5 ? kRunning : kWaiting, 2);
  EXPECT_TRUE(read({.listed_max = 5, .stacks_max = 5})->is_complete);
  const auto few_stacks = read({.stacks_max = 2});
  EXPECT_FALSE(few_stacks->is_complete);
  ASSERT_EQ(few_stacks->goroutines.size(), 2u);
  EXPECT_EQ(few_stacks->goroutines[0].goid, 5u); // the running one is not left out
  const auto few_listed = read({.listed_max = 4});
  EXPECT_FALSE(few_listed->is_complete);
  EXPECT_EQ(few_listed->goroutines.size(), 4u);
}

TEST_F(GoroutinesTest, WhatIsNoGoroutineMakesASnapshotIncomplete) {
  const auto refused = [&](FakeG::Field field, std::uint64_t value) {
    fakes_.clear();
    add(1, kWaiting, 2);
    add(2, kWaiting, 2).g[field] = value;
    const auto snapshot = read();
    return !snapshot->is_complete && snapshot->goroutines.size() == 1;
  };
  EXPECT_TRUE(refused(FakeG::self, 0));
  EXPECT_TRUE(refused(FakeG::goid, 0));
  EXPECT_TRUE(refused(FakeG::status, 77));
  EXPECT_TRUE(refused(FakeG::lo, 0));
  EXPECT_TRUE(refused(FakeG::lo, ~0ULL));
  EXPECT_TRUE(refused(FakeG::hi, ~0ULL));
  EXPECT_TRUE(refused(FakeG::sp, 0)); // of one that is not running
  EXPECT_TRUE(refused(FakeG::sp, ~0ULL));
}

TEST_F(GoroutinesTest, AStackThatIsGoneHasNoWords) {
  add(1, kWaiting, 2);
  FakeG &moved = add(2, kWaiting, 2);
  moved.g[FakeG::lo] = 8;
  moved.g[FakeG::sp] = 16;
  moved.g[FakeG::hi] = 64;
  const auto snapshot = read();
  ASSERT_TRUE(snapshot);
  EXPECT_FALSE(snapshot->is_complete);
  ASSERT_EQ(snapshot->goroutines.size(), 2u);
  EXPECT_EQ(snapshot->goroutines[1].goid, 2u);
  EXPECT_TRUE(snapshot->goroutines[1].words.empty());
  EXPECT_FALSE(snapshot->goroutines[0].words.empty());
}

TEST_F(GoroutinesTest, AnExecutableThatLiesAboutThemTakesNoMemory) {
  add(1, kWaiting, 2);
  facts_.layout.offsets["runtime.g.goid"] = 0xfffffff0;
  EXPECT_EQ(read().error().code(), Errc::unsupported);
}

TEST_F(GoroutinesTest, NoneYetIsNoError) {
  const auto snapshot = read();
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  EXPECT_TRUE(snapshot->is_complete);
  EXPECT_TRUE(snapshot->goroutines.empty());
}

TEST_F(GoroutinesTest, WhatIsNoListIsAnError) {
  const auto code_for = [&](Slice list) {
    list_ = list;
    return read_goroutines(*memory_, facts_, bias_).error().code();
  };
  EXPECT_EQ(code_for({8, 1, 1}), Errc::malformed);
  EXPECT_EQ(code_for({8, 2, 1}), Errc::malformed);
  EXPECT_EQ(code_for({0, 1, 1}), Errc::malformed);
  facts_.all_goroutines = {0};
  EXPECT_EQ(code_for({}), Errc::unsupported);
  facts_.all_goroutines = bias_.to_elf({8}); // not mapped
  EXPECT_EQ(code_for({}), Errc::malformed);
  facts_.layout.offsets.erase("runtime.g.goid");
  EXPECT_EQ(code_for({}), Errc::unsupported);
}

} // namespace
} // namespace mapscope
