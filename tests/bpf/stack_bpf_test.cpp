// Interned stacks: what a walk finds, that each stack is sent once and first, and that what the
// ring has no room for is counted exactly.
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <set>

#include "support/goroutine_bpf_test.h"

namespace mapscope::testing {
namespace {

// A frame chain as compiled Go code leaves it: so many frames, so many bytes each.
class FrameChain {
public:
  FrameChain(std::size_t frames, std::size_t bytes, std::uint64_t first_pc) {
    const std::size_t words = bytes / 8;
    memory_.fill(0);
    for (std::size_t i = 0; i < frames; ++i) {
      memory_[i * words] = i + 1 < frames ? address_of_frame((i + 1) * words) : 0;
      memory_[i * words + 1] = first_pc + i;
    }
  }
  std::uint64_t fp() const { return address_of_frame(0); }

private:
  std::uint64_t address_of_frame(std::size_t word) const {
    return reinterpret_cast<std::uint64_t>(&memory_[word]);
  }
  std::array<std::uint64_t, 2048> memory_;
};

constexpr std::uint64_t kAbove = 32768; // the goroutine's stack reaches over the chain

void run_in(const FrameChain &chain) {
  run_on_goroutine({.number = SYS_getppid, .fp = chain.fp()}, kAbove);
}

class StackBpfTest : public GoroutineBpfTest {
protected:
  void run(std::function<void()> body, target settings = fake_target(),
           std::uint32_t ring_bytes = 4U << 20) {
    start(std::move(body), settings, {.emit_operations = 1}, ring_bytes);
    probe_map_function(MAP_OPERATION_MAKE_SMALL);
    child_->run();
  }
  static std::size_t depth_of(const stack_event &stack) {
    return static_cast<std::size_t>(std::ranges::find(stack.frames, 0U) - stack.frames);
  }
};

TEST_F(StackBpfTest, IsSentOnceAndBeforeWhatNamesIt) {
  run([] {
    for (int i = 0; i < 3; ++i)
      run_on_goroutine({.number = SYS_getppid});
  });
  std::vector<Event> all = events();
  ASSERT_EQ(all.size(), 4u);
  const auto &stack = std::get<stack_event>(all[0].body);
  EXPECT_EQ(stack.goid, kGoroutine);
  EXPECT_EQ(stack.frames[0], address_of(fake_map_function));
  EXPECT_EQ(stack.frames[1], address_of(fake_after_map_call));
  EXPECT_EQ(depth_of(stack), 2u); // above the user code is no Go code
  for (std::size_t i = 1; i <= 3; ++i)
    EXPECT_EQ(std::get<map_operation_event>(all[i].body).stack, stack.id);
}

TEST_F(StackBpfTest, IsFollowedThroughManyChunks) {
  const std::uint64_t pc = address_of(fake_text_start) + 1;
  run([pc] { run_in(FrameChain{30, 400, pc}); }); // 12,000 bytes
  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 1u);
  ASSERT_EQ(depth_of(stacks[0]), 32u);
  for (std::size_t i = 0; i < 30; ++i)
    EXPECT_EQ(stacks[0].frames[2 + i], pc + i);
}

TEST_F(StackBpfTest, IsCutAtItsLimit) {
  const std::uint64_t pc = address_of(fake_text_start) + 1;
  run([pc] { run_in(FrameChain{100, 32, pc}); });
  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 1u);
  EXPECT_EQ(depth_of(stacks[0]), std::size_t{EVENT_STACK_FRAMES});
  EXPECT_EQ(stacks[0].frames[63], pc + 61);
}

// The last frame of the chain is in a place that is no part of the goroutine's stack.
void run_with_stray_frame(std::uint64_t pc) {
  static FrameChain elsewhere{3, 32, pc};
  struct {
    std::uint64_t saved_fp, pc;
  } frame{elsewhere.fp(), pc};
  run_on_goroutine({.number = SYS_getppid, .fp = reinterpret_cast<std::uint64_t>(&frame)});
}

TEST_F(StackBpfTest, EndsWhereTheChainLeavesTheStack) {
  const std::uint64_t pc = address_of(fake_text_start) + 1;
  run([pc] { run_with_stray_frame(pc); });
  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 1u);
  EXPECT_EQ(depth_of(stacks[0]), 3u);
}

TEST_F(StackBpfTest, MayLeaveItInOldGoWhoseChainsDo) {
  const std::uint64_t pc = address_of(fake_text_start) + 1;
  target settings = fake_target();
  settings.flags |= TARGET_STRAY_FRAMES;
  run([pc] { run_with_stray_frame(pc); }, settings);
  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 1u);
  EXPECT_EQ(depth_of(stacks[0]), 6u);
}

TEST_F(StackBpfTest, EndsAtACircle) {
  run([] {
    struct {
      std::uint64_t saved_fp, pc;
    } frames[2];
    frames[0] = {reinterpret_cast<std::uint64_t>(&frames[1]), address_of(fake_text_start) + 1};
    frames[1] = {reinterpret_cast<std::uint64_t>(&frames[0]), address_of(fake_text_start) + 2};
    run_on_goroutine({.number = SYS_getppid, .fp = reinterpret_cast<std::uint64_t>(&frames[0])});
  });
  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 1u);
  EXPECT_EQ(depth_of(stacks[0]), std::size_t{EVENT_STACK_FRAMES}); // whatever it is, it ends
}

TEST_F(StackBpfTest, StacksThatDifferInOneFrameHaveDifferentIds) {
  const std::uint64_t pc = address_of(fake_text_start) + 1;
  run([pc] {
    for (int round = 0; round < 2; ++round)
      for (std::uint64_t i = 0; i < 50; ++i)
        run_in(FrameChain{5, 32, pc + i});
  });
  std::set<std::uint64_t> ids;
  for (const stack_event &stack : events_of<stack_event>())
    ids.insert(stack.id);
  EXPECT_EQ(ids.size(), 50u);
  EXPECT_EQ(tracer_->event_totals()[EVENT_KIND_STACK].sent, 50u);
}

TEST_F(StackBpfTest, ANewTargetInAnOldPlaceHasStacksOfItsOwn) {
  run([] { run_on_goroutine({.number = SYS_getppid}); });
  const std::uint32_t first_index = index_;
  tracer_->remove_target(index_);
  links_.clear();

  child_.emplace([] { run_on_goroutine({.number = SYS_getppid}); });
  index_ = watch(child_->pid(), fake_target());
  ASSERT_EQ(index_, first_index);
  probe_map_function(MAP_OPERATION_MAKE_SMALL);
  child_->run();

  auto stacks = events_of<stack_event>();
  ASSERT_EQ(stacks.size(), 2u);
  EXPECT_EQ(stacks[0].frames[1], stacks[1].frames[1]); // fork keeps addresses
  EXPECT_NE(stacks[0].id, stacks[1].id);
}

TEST_F(StackBpfTest, OfAHeapRequestOnTheSystemStackIsTheGoroutines) {
  target settings = fake_target();
  settings.systemstack_switch = 0x1234;
  start(
      [] {
        FrameChain chain{3, 32, address_of(fake_text_start) + 1};
        FakeRuntime runtime{chain.fp() - 4096, chain.fp() + 4096, kGoroutine};
        runtime.g[kSched / 8] = chain.fp();
        runtime.g[kSched / 8 + 1] = 0x1234 + own_address(&fake_text_start).bias.value + 8;
        runtime.g[kSched / 8 + 5] = chain.fp();
        FakeRun run{.bx = 40960, .number = SYS_getppid};
        run.g = reinterpret_cast<std::uint64_t>(runtime.g0.data());
        fake_user_code(&run);
        runtime.g[kSched / 8] = 0x1000; // nothing is there
        fake_user_code(&run);
      },
      settings, {.emit_operations = 1});
  probe(UprobeProgram::heap_request, fake_map_function,
        PROBE_COOKIE(HEAP_REQUEST_LARGE, false, index_));
  child_->run();

  std::vector<Event> all = events();
  ASSERT_EQ(all.size(), 3u);
  const auto &stack = std::get<stack_event>(all[0].body);
  EXPECT_EQ(stack.frames[0], address_of(fake_map_function));
  EXPECT_EQ(stack.frames[1], address_of(fake_text_start) + 1);
  EXPECT_EQ(depth_of(stack), 4u);
  EXPECT_EQ(std::get<heap_request_event>(all[1].body).stack, stack.id);
  EXPECT_EQ(std::get<heap_request_event>(all[2].body).stack, 0u);
  EXPECT_EQ(tracer_->counts(index_).lost[LOSS_STACK_UNREADABLE], 1u);
}

TEST_F(StackBpfTest, WhatTheRingHasNoRoomForIsCountedExactly) {
  constexpr std::uint64_t kStacks = 20, kHits = 100;
  run(
      [] {
        for (std::uint64_t stack = 0; stack < kStacks; ++stack)
          for (std::uint64_t i = 0; i < kHits; ++i)
            run_in(FrameChain{5, 32, address_of(fake_text_start) + 1 + stack});
      },
      fake_target(), 16384);
  std::uint64_t operations = 0, stacks = 0;
  for (const Event &event : events()) {
    operations += std::holds_alternative<map_operation_event>(event.body);
    stacks += std::holds_alternative<stack_event>(event.body);
  }
  auto totals = tracer_->event_totals();
  const event_stats &of_operations = totals[EVENT_KIND_MAP_OPERATION];
  const event_stats &of_stacks = totals[EVENT_KIND_STACK];
  EXPECT_EQ(tracer_->counts(index_).operations[MAP_OPERATION_MAKE_SMALL], kStacks * kHits);
  EXPECT_EQ(of_operations.sent, operations);
  EXPECT_EQ(of_operations.sent + of_operations.lost_ring_full, kStacks * kHits);
  EXPECT_GT(of_operations.lost_ring_full, 0u);
  // Nobody drained: a stack was sent at its first hit, or it was tried again at every one.
  EXPECT_EQ(of_stacks.sent, stacks);
  EXPECT_EQ(of_stacks.lost_ring_full, (kStacks - stacks) * kHits);
  EXPECT_LT(stacks, kStacks);
}

} // namespace
} // namespace mapscope::testing
