// Frames of functions by the tables of a process, whose executable says where in these what lies.
#include "heap/owners/frame_sizes.h"

#include <gtest/gtest.h>

#include "heap/owners/stack_roots.h"
#include "heap/stack_maps.h"
#include "unit/heap/fake_goroutines.h"

namespace mapscope {
namespace {

using testing::FakeGoroutines;

TEST(FrameSizesTest, TellHowLargeAFrameIsAndWhatOfItIsAlive) {
  FakeGoroutines program;
  auto sizes = FrameSizes::open(program.memory, program.facts, {});
  ASSERT_TRUE(sizes) << sizes.error().message();
  const auto frame = sizes->at(FakeGoroutines::kText + 100);
  ASSERT_TRUE(frame) << frame.error().message();
  ASSERT_NE(*frame, nullptr);
  EXPECT_EQ((*frame)->entry, FakeGoroutines::kText);
  EXPECT_EQ((*frame)->size_bytes, 120u);
  EXPECT_TRUE((*frame)->locals.is_known);
  EXPECT_EQ((*frame)->locals.count, 15u);
  EXPECT_EQ((*frame)->objects.size(), 1u);
}

// As the debug information of an executable can have it.
TEST(FrameSizesTest, OffsetsThatNoStructureHasAreNotBelieved) {
  for (const auto &[field, offset] : {std::pair{"runtime._func.args", 0xfffffffeU},
                                      {"runtime._func.npcdata", 0xffffffffU},
                                      {"runtime._func.npcdata", 4096U},
                                      {"runtime._func.nfuncdata", 0xffffffffU}}) {
    FakeGoroutines program;
    program.facts.layout.offsets[field] = offset;
    auto sizes = FrameSizes::open(program.memory, program.facts, {});
    ASSERT_TRUE(sizes) << sizes.error().message();
    const auto frame = sizes->at(FakeGoroutines::kText + 100);
    ASSERT_TRUE(frame && *frame) << field;
    EXPECT_EQ((*frame)->size_bytes, 120u);
    EXPECT_FALSE((*frame)->locals.is_known) << field;
  }
}

TEST(FrameSizesTest, EntriesOfAnOddSizeAreRefused) {
  for (const std::uint32_t size : {9U, 17U}) {
    FakeGoroutines program;
    program.facts.layout.offsets["runtime.functab"] = size;
    program.facts.layout.offsets["runtime.functab.funcoff"] = size / 2;
    const auto sizes = FrameSizes::open(program.memory, program.facts, {});
    ASSERT_FALSE(sizes);
    EXPECT_EQ(sizes.error().code(), Errc::unsupported);
  }
}

// What tests and fuzzing begin with has to be what it says.
TEST(FakeGoroutinesTest, AreReadWithTheMapsOnTheirStacks) {
  FakeGoroutines program;
  const auto maps =
      find_stack_maps(program.memory, program.anchors, program.facts, {FakeGoroutines::kList});
  ASSERT_TRUE(maps) << maps.error().message();
  EXPECT_EQ(maps->searched_count, FakeGoroutines::kCount - 1u); // one runs
  EXPECT_EQ(maps->left_out_count, 1u);
  EXPECT_EQ(maps->maps.size(), FakeGoroutines::kCount - 1u);
  const auto root = find_heap(program.memory, program.anchors, program.layout);
  ASSERT_TRUE(root) << root.error().message();
  const auto spans = SpanTable::read(program.memory, *root, program.layout);
  ASSERT_TRUE(spans) << spans.error().message();
  const auto roots = read_stack_roots(program.memory, program.facts, {}, *spans, {});
  ASSERT_TRUE(roots) << roots.error().message();
  EXPECT_GE(roots->goroutine_count, FakeGoroutines::kCount - 1u);
  EXPECT_GE(roots->frames.size(), 4u * (FakeGoroutines::kCount - 1));
  EXPECT_GE(roots->words.size(), 4u * (FakeGoroutines::kCount - 1));
}

} // namespace
} // namespace mapscope
