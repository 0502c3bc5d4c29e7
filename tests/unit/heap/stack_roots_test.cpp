// Words of stacks, against a program that says which of its functions holds which map: while they
// wait in every way that there is, and while they are interrupted between any two instructions.
#include "heap/owners/stack_roots.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "binary/go_binary.h"
#include "heap/heap_layout.h"
#include "support/census_program.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

class StackRootsTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    path_ = built({"tests/fixtures/stack_roots", ".", "stack_roots-" + version + "-" + mode},
                  version, "", mode == "stripped" ? "-trimpath '-ldflags=-s -w'" : "-trimpath");
    if (!path_)
      GTEST_SKIP() << "Go " << version << " can't be had";
  }

  // The program is no PIE, so addresses in it are those in its file.
  static Result<StackRoots> read(CensusProgram &program, const StackRootLimits &limits = {}) {
    HeapLayout layout = TRY(HeapLayout::from(program.facts));
    HeapRoot root = TRY(find_heap(program.memory(), program.anchors, layout));
    SpanTable spans = TRY(SpanTable::read(program.memory(), root, layout));
    return read_stack_roots(program.memory(), program.facts, {}, spans, {}, limits);
  }

  // The functions in whose frames lies a pointer to each map.
  static std::map<std::uint64_t, std::set<std::string>>
  holders_of(const StackRoots &roots, const CensusProgram &program, const GoBinary &binary) {
    std::map<std::uint64_t, std::set<std::string>> holders;
    for (const StackWord &word : roots.words) {
      if (!program.noise.contains(word.value) || roots.frames[word.frame].is_running)
        continue;
      const std::array address{ElfAddress{roots.frames[word.frame].pc}};
      auto frames = binary.symbolize(address);
      holders[word.value].insert(frames.front().empty() ? "" : frames.front().back().function);
    }
    return holders;
  }

  const std::string &path() const { return *path_; }

private:
  std::optional<std::string> path_;
};

TEST_P(StackRootsTest, KnowsWhoseFrameEachMapIsIn) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  EXPECT_EQ(program.noise.size(), 21u);
  const auto file = testing::file_bytes(path());
  auto binary = GoBinary::open(std::as_bytes(std::span{file}), path());
  ASSERT_TRUE(binary) << binary.error().message();
  std::map<std::uint64_t, std::string> left = program.noise;
  // Of those that run in turns, another one runs each time.
  for (int look = 0; look < 40; ++look) {
    auto roots = read(program, {.rounds_max = 3});
    ASSERT_TRUE(roots) << roots.error().message();
    EXPECT_LE(roots->left_out_count, 2u);
    for (auto &[map, functions] : holders_of(*roots, program, *binary)) {
      // It keeps the registers of what it interrupted, those for vectors too, which may hold what
      // some other goroutine's stack was copied with.
      if (functions.erase("runtime.asyncPreempt") != 0 && functions.empty())
        continue;
      EXPECT_EQ(functions, std::set{program.noise[map]});
      left.erase(map);
    }
  }
  for (const auto &[map, function] : left)
    ADD_FAILURE() << fmt::format("{:x} of {} was never found", map, function);
}

TEST_P(StackRootsTest, KnowsTheFrameOfEachWord) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto roots = read(program);
  ASSERT_TRUE(roots) << roots.error().message();
  EXPECT_GE(roots->goroutine_count, 10u);
  for (const StackWord &word : roots->words) {
    const StackFrame &frame = roots->frames[word.frame];
    EXPECT_EQ(frame.pc == 0, frame.is_running);
    const StackFrame *found = roots->frame_at(word.address);
    EXPECT_TRUE(found == &frame || found == nullptr); // a closure is in the g
  }
  // All but those that run in turns stopped where the compiler says what is alive.
  std::set<std::uint64_t> live;
  for (const StackWord &word : roots->words)
    if (word.liveness == Liveness::live && program.noise.contains(word.value))
      live.insert(word.value);
  EXPECT_GE(live.size(), 17u);
  EXPECT_EQ(roots->frame_at(8), nullptr);
  EXPECT_EQ(roots->frame_at(~std::uint64_t{7}), nullptr);
}

// One of its goroutines runs at any time, and holds a map.
TEST_P(StackRootsTest, ReadsTheWholeStackOfAGoroutineThatRuns) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  std::set<std::string> holders;
  for (int look = 0; look < 400 && holders.size() < 2; ++look) {
    auto roots = read(program, {.rounds_max = 1});
    ASSERT_TRUE(roots) << roots.error().message();
    EXPECT_TRUE(std::ranges::is_sorted(roots->frames, {}, &StackFrame::is_running)); // the last
    std::set<std::uint64_t> running;
    for (const StackWord &word : roots->words) {
      const StackFrame &frame = roots->frames[word.frame];
      if (!frame.is_running)
        continue;
      EXPECT_EQ(frame.pc, 0u);
      EXPECT_EQ(roots->frame_at(word.address), nullptr);
      running.insert(frame.goroutine);
      if (program.noise.contains(word.value))
        holders.insert(program.noise[word.value]);
    }
    EXPECT_GE(roots->left_out_count, running.size());
    EXPECT_LE(running.size(), 2u);
  }
  EXPECT_GE(holders.size(), 2u);
}

TEST_P(StackRootsTest, CountsWhatLiesBeyondALimit) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto few = read(program, {.goroutines_max = 3});
  ASSERT_TRUE(few) << few.error().message();
  EXPECT_GE(few->left_out_count, 8u);
  auto short_ones = read(program, {.stack_bytes_max = 64});
  ASSERT_TRUE(short_ones) << short_ones.error().message();
  EXPECT_GE(short_ones->left_out_count, 8u);
  for (const StackFrame &frame : short_ones->frames)
    EXPECT_EQ(frame.pc, 0u); // which one it is can't be known from outside
  auto few_frames = read(program, {.frames_max = 4});
  ASSERT_TRUE(few_frames) << few_frames.error().message();
  const auto waiting = std::ranges::count(few_frames->frames, false, &StackFrame::is_running);
  EXPECT_LE(static_cast<std::uint64_t>(waiting), 4 + few_frames->goroutine_count);
  EXPECT_EQ(few_frames->frames.back().pc, 0u); // all of a stack is one frame of it then
  auto few_words = read(program, {.words_max = 1});
  ASSERT_TRUE(few_words) << few_words.error().message();
  EXPECT_EQ(few_words->words.size(), 1u);
  EXPECT_GE(few_words->left_out_count, 8u);
}

INSTANTIATE_TEST_SUITE_P(Releases, StackRootsTest,
                         ::testing::Combine(::testing::ValuesIn(kGoReleases),
                                            ::testing::Values("plain", "stripped")),
                         [](const auto &parameter) {
                           std::string name = "Go" + std::get<0>(parameter.param) + "_" +
                                              std::get<1>(parameter.param);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
