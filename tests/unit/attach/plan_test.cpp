// Which probes a binary gets at which depth, and what the kernel side is told of it.
#include "attach/plan.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

ProbePoint point_at(std::string function, std::uint64_t entry) {
  return {.function = std::move(function),
          .entry = {entry},
          .size_bytes = 0x100,
          .address = {entry + 6},
          .offset = {entry - 0x400000 + 6},
          .expected = {0x55},
          .emulated = true,
          .returns = {{{entry + 0x80}, {entry - 0x400000 + 0x80}}}};
}

BinaryFacts swiss_facts() {
  BinaryFacts facts;
  facts.path = "/srv/app";
  facts.go_version = "go1.26.8";
  facts.version = {1, 26, 8};
  facts.map_implementation = MapImplementation::swiss;
  facts.layout.offsets = {{"runtime.g.m", 48},     {"runtime.g.goid", 152},
                          {"runtime.g.sched", 56}, {"runtime.gobuf.sp", 0},
                          {"runtime.gobuf.pc", 8}, {"runtime.gobuf.bp", 40},
                          {"runtime.m.curg", 184}};
  facts.text = {{0x401000}, 0x100000};
  facts.map_ranges = {{{0x402000}, 0x5000}};
  facts.tls_offset = -8;
  std::uint64_t entry = 0x402000;
  for (map_operation operation :
       {MAP_OPERATION_MAKE_SMALL, MAP_OPERATION_NEW_MAP, MAP_OPERATION_GROW_TO_SMALL,
        MAP_OPERATION_GROW_TO_TABLE, MAP_OPERATION_REHASH, MAP_OPERATION_TABLE_SPLIT,
        MAP_OPERATION_CLEAR})
    facts.operations[operation] = {point_at("f", entry += 0x100)};
  return facts;
}

std::vector<unsigned> subjects(const ProbePlan &plan, ProbeKind kind) {
  std::vector<unsigned> found;
  for (const PlannedProbe &probe : plan.probes)
    if (probe.kind == kind)
      found.push_back(probe.subject);
  std::ranges::sort(found);
  return found;
}

ProbePlan plan_of(const BinaryFacts &facts, Depth depth) {
  auto plan = plan_probes(facts, {.depth = depth});
  EXPECT_TRUE(plan) << plan.error().message();
  return plan ? *plan : ProbePlan{};
}

TEST(PlanTest, NormallyWhatCreatesGrowsAndClears) {
  ProbePlan plan = plan_of(swiss_facts(), Depth::normal);
  EXPECT_EQ(subjects(plan, ProbeKind::map_operation),
            (std::vector<unsigned>{MAP_OPERATION_MAKE_SMALL, MAP_OPERATION_NEW_MAP,
                                   MAP_OPERATION_GROW_TO_TABLE, MAP_OPERATION_REHASH,
                                   MAP_OPERATION_CLEAR}));
  EXPECT_TRUE(subjects(plan, ProbeKind::map_operation_return).empty());
  EXPECT_EQ(plan.settings.windowed_count, 5u);
  EXPECT_EQ(plan.settings.windowed[0].start, 0x402100u);
}

TEST(PlanTest, LightlyOnlyTheRarestGrowthAndNoWindow) {
  ProbePlan plan = plan_of(swiss_facts(), Depth::light);
  EXPECT_EQ(subjects(plan, ProbeKind::map_operation),
            std::vector<unsigned>{MAP_OPERATION_TABLE_SPLIT});
  EXPECT_EQ(plan.settings.windowed_count, 0u);
}

TEST(PlanTest, RarelyWhatOneInManyAssignmentsDoes) {
  ProbePlan plan = plan_of(swiss_facts(), Depth::rare);
  EXPECT_EQ(subjects(plan, ProbeKind::map_operation),
            (std::vector<unsigned>{MAP_OPERATION_NEW_MAP, MAP_OPERATION_REHASH}));
}

TEST(PlanTest, OfADepthOnlyWhatIsWanted) {
  ProbeChoice choice{.depth = Depth::full};
  choice.only.emplace().set(MAP_OPERATION_CLEAR).set(MAP_OPERATION_GROW_TO_SMALL);
  auto plan = plan_probes(swiss_facts(), choice);
  ASSERT_TRUE(plan);
  EXPECT_EQ(subjects(*plan, ProbeKind::map_operation), std::vector<unsigned>{MAP_OPERATION_CLEAR});
}

TEST(PlanTest, WithoutWindowsNoRangeIsOneOfAWindow) {
  auto plan = plan_probes(swiss_facts(), {.windows = false});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->settings.windowed_count, 0u);
  EXPECT_FALSE(plan->probes.front().opens_window);
  EXPECT_TRUE((ProbeChoice{.depth = Depth::exact, .windows = false}.opens_windows()));
}

TEST(PlanTest, MisuseIsProbedWhereItIsReported) {
  BinaryFacts facts = swiss_facts();
  for (const char *function : {"runtime.fatal", "runtime.throw", "runtime.gopanic"})
    facts.misuse.emplace(function, point_at(function, 0x409000));
  auto plan = plan_probes(facts, {.misuse = true});
  ASSERT_TRUE(plan);
  // Since Go 1.19 the runtime throws for other reasons only.
  EXPECT_EQ(subjects(*plan, ProbeKind::map_misuse),
            (std::vector<unsigned>{MAP_MISUSE_CONCURRENT, MAP_MISUSE_NIL_MAP}));
  facts.version = {1, 18, 10};
  EXPECT_EQ(subjects(*plan_probes(facts, {.misuse = true}), ProbeKind::map_misuse).size(), 3u);
  EXPECT_TRUE(subjects(plan_of(facts, Depth::normal), ProbeKind::map_misuse).empty());
}

TEST(PlanTest, ExactlyAlsoFirstGroupsTableInternalsAndReturns) {
  ProbePlan plan = plan_of(swiss_facts(), Depth::exact);
  auto entries = subjects(plan, ProbeKind::map_operation);
  EXPECT_TRUE(std::ranges::count(entries, unsigned{MAP_OPERATION_GROW_TO_SMALL}) == 1);
  EXPECT_TRUE(std::ranges::count(entries, unsigned{MAP_OPERATION_TABLE_SPLIT}) == 1);
  // The split lies inside rehash, whose window covers it: no window, no return.
  EXPECT_EQ(subjects(plan, ProbeKind::map_operation_return).size(), entries.size() - 1);
}

TEST(PlanTest, TheKernelIsToldWhereTheRuntimeKeepsThings) {
  target settings = plan_of(swiss_facts(), Depth::normal).settings;
  EXPECT_EQ(settings.g_goid, 152u);
  EXPECT_EQ(settings.g_sched_sp, 56u);
  EXPECT_EQ(settings.g_sched_pc, 64u);
  EXPECT_EQ(settings.g_sched_bp, 96u);
  EXPECT_EQ(settings.m_curg, 184u);
  EXPECT_EQ(settings.tls_offset, -8);
  EXPECT_EQ(settings.flags, unsigned{TARGET_GO | TARGET_TLS_KNOWN | TARGET_SWISS});
}

TEST(PlanTest, FramesOfOldVersionsMayStray) {
  BinaryFacts facts = swiss_facts();
  facts.version = {1, 20, 14};
  EXPECT_TRUE(plan_of(facts, Depth::normal).settings.flags & TARGET_STRAY_FRAMES);
}

TEST(PlanTest, WithoutTlsOffsetItSaysWhatIsNotSeen) {
  BinaryFacts facts = swiss_facts();
  facts.tls_offset.reset();
  ProbePlan plan = plan_of(facts, Depth::normal);
  EXPECT_FALSE(plan.settings.flags & TARGET_TLS_KNOWN);
  EXPECT_EQ(plan.warnings.size(), 1u);
}

TEST(PlanTest, WithoutTheLayoutOfAGoroutineThereIsNoPlan) {
  BinaryFacts facts = swiss_facts();
  facts.layout.offsets.erase("runtime.g.goid");
  auto plan = plan_probes(facts, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), Errc::unsupported);
  EXPECT_NE(plan.error().message().find("runtime.g.goid"), std::string::npos);
}

TEST(PlanTest, WithoutMapFunctionsThereIsNoPlan) {
  BinaryFacts facts = swiss_facts();
  facts.map_implementation = MapImplementation::none;
  EXPECT_FALSE(plan_probes(facts, {}));
}

} // namespace
} // namespace mapscope
