// The verdict of `verify`, on calls and counters written by hand.
#include "judge/verify_judge.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

// Everything of a swiss map was probed, with windows.
VerifyRun full_run() {
  VerifyRun run;
  run.target.map_implementation = MapImplementation::swiss;
  run.scope.covered_operations.set();
  run.scope.covered_heap.set();
  return run;
}

VerifyCounts counts_with_operations(std::uint64_t creations = 3) {
  VerifyCounts counts;
  counts.kernel.operations[MAP_OPERATION_NEW_MAP] = creations;
  return counts;
}

// A write of a file that both witnesses saw inside a growth.
AttributedCall write_inside() {
  AttributedCall call;
  call.name = "write";
  call.arguments[0] = 2;
  call.klass = call.kernel_class = CALL_CLASS_FILE;
  call.place = call.kernel_place = CALL_INSIDE;
  call.witnesses = {.window = true, .stack = true};
  call.goroutine = 7;
  call.result = 12;
  call.path = "/var/log/gc.log";
  call.operation = "growth";
  call.site = SourceFrame{.function = "main.fill", .file = "/src/main.go", .line = 12};
  return call;
}

AttributedCall mmap_outside(std::uint64_t bytes, std::int64_t result = 0x7f0000000000) {
  AttributedCall call;
  call.name = "mmap";
  call.arguments[1] = bytes;
  call.klass = call.kernel_class = CALL_CLASS_MEMORY;
  call.result = result;
  return call;
}

VerifyCounts with_file_calls_inside(std::uint64_t count) {
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_FILE] = count;
  return counts;
}

TEST(VerifyJudgeTest, OneOperationWithoutAFileCallIsClean) {
  Verdict verdict = VerifyJudge{}.finish(full_run(), counts_with_operations(1));
  EXPECT_EQ(verdict.outcome, Outcome::clean);
  EXPECT_TRUE(verdict.reasons.empty());
  EXPECT_EQ(verdict.operations.created, 1U);
}

TEST(VerifyJudgeTest, NoOperationProvesNothing) {
  Verdict verdict = VerifyJudge{}.finish(full_run(), VerifyCounts{});
  EXPECT_EQ(verdict.outcome, Outcome::inconclusive);
  ASSERT_EQ(verdict.reasons.size(), 1U);
  EXPECT_NE(verdict.reasons[0].find("No map operation was observed"), std::string::npos);
}

TEST(VerifyJudgeTest, FileCallsOutsideAreNoViolation) {
  VerifyJudge judge;
  AttributedCall call = write_inside();
  call.place = call.kernel_place = CALL_OUTSIDE;
  judge.add(call);
  call.name = "close"; // of the same file: no second example
  judge.add(call);
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_OUTSIDE][CALL_CLASS_FILE] = 57;
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.outcome, Outcome::clean);
  EXPECT_EQ(verdict.outside[CALL_CLASS_FILE], 57U);
  EXPECT_EQ(verdict.outside_examples, (std::vector<FileCallExample>{{"write", "/var/log/gc.log"}}));
}

TEST(VerifyJudgeTest, AFileCallInsideViolatesWhateverElseWasLost) {
  VerifyJudge judge;
  judge.add(write_inside());
  VerifyCounts counts = with_file_calls_inside(1);
  counts.events[EVENT_KIND_SYSTEM_CALL].lost_ring_full = 5;
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.outcome, Outcome::violated);
  EXPECT_EQ(verdict.file_calls_inside, 1U);
  EXPECT_EQ(verdict.inside[CALL_CLASS_FILE], 1U);
  ASSERT_EQ(verdict.reasons.size(), 1U);
  EXPECT_NE(verdict.reasons[0].find("5 events lost"), std::string::npos);
}

TEST(VerifyJudgeTest, AViolationNeedsNoObservedOperation) {
  VerifyJudge judge;
  judge.add(write_inside());
  EXPECT_EQ(judge.finish(full_run(), VerifyCounts{}).outcome, Outcome::violated);
}

TEST(VerifyJudgeTest, AFileCallThatWasOnlyCountedViolatesAsWell) {
  VerifyJudge judge;
  judge.add(write_inside());
  Verdict verdict = judge.finish(full_run(), with_file_calls_inside(3));
  EXPECT_EQ(verdict.outcome, Outcome::violated);
  EXPECT_EQ(verdict.file_calls_inside, 3U);
  EXPECT_EQ(verdict.violations.size(), 1U);
  ASSERT_EQ(verdict.reasons.size(), 1U);
  EXPECT_NE(verdict.reasons[0].find("2 file calls inside"), std::string::npos);
}

TEST(VerifyJudgeTest, MemoryCallsInsideAreNoViolation) {
  VerifyJudge judge;
  AttributedCall call = mmap_outside(4096);
  call.place = call.kernel_place = CALL_INSIDE;
  judge.add(call);
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_MEMORY] = 1;
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.outcome, Outcome::clean);
  EXPECT_EQ(verdict.inside[CALL_CLASS_MEMORY], 1U);
}

TEST(VerifyJudgeTest, FoldsAlikeWritesThatFollowEachOther) {
  VerifyJudge judge;
  AttributedCall other_goroutine = write_inside();
  other_goroutine.goroutine = 8;
  for (int i = 0; i < 39; ++i) {
    judge.add(write_inside());
    judge.add(other_goroutine); // in between, and folded on its own
  }
  Verdict verdict = judge.finish(full_run(), with_file_calls_inside(78));
  ASSERT_EQ(verdict.violations.size(), 2U);
  EXPECT_EQ(verdict.violations[0].count, 39U);
  EXPECT_EQ(verdict.violations[1].count, 39U);
  EXPECT_EQ(verdict.file_calls_inside, 78U);
}

TEST(VerifyJudgeTest, DoesNotFoldWhatDiffers) {
  VerifyJudge judge;
  judge.add(write_inside());
  auto add_other = [&judge](auto change) {
    AttributedCall call = write_inside();
    change(call);
    judge.add(call);
    judge.add(write_inside()); // what came before is no longer the newest
  };
  add_other([](AttributedCall &call) { call.name = "fsync"; });
  add_other([](AttributedCall &call) { call.path = "/var/log/other.log"; });
  add_other([](AttributedCall &call) { call.arguments[0] = 3; });
  add_other([](AttributedCall &call) { call.operation = "creation"; });
  add_other([](AttributedCall &call) { call.site->line = 13; });
  add_other([](AttributedCall &call) { call.witnesses.window = false; });
  Verdict verdict = judge.finish(full_run(), counts_with_operations());
  EXPECT_EQ(verdict.violations.size(), 13U);
}

TEST(VerifyJudgeTest, CountsViolationsThatItDoesNotKeep) {
  VerifyJudge judge{1};
  for (std::uint64_t descriptor : {2, 3, 4}) {
    AttributedCall call = write_inside();
    call.arguments[0] = descriptor;
    judge.add(call);
  }
  judge.add(write_inside()); // alike the first, but no longer right behind it
  Verdict verdict = judge.finish(full_run(), with_file_calls_inside(4));
  ASSERT_EQ(verdict.violations.size(), 1U);
  EXPECT_EQ(verdict.violations[0].count, 1U);
  EXPECT_EQ(verdict.violations_not_shown, 3U);
  EXPECT_EQ(verdict.file_calls_inside, 4U);
}

TEST(VerifyJudgeTest, AReturnAddressAloneConvictsNobodyAndClearsNobody) {
  VerifyJudge judge;
  AttributedCall call = write_inside();
  call.place = call.kernel_place = CALL_WINDOW_ONLY;
  call.witnesses.stack = false;
  call.window_by_word = true;
  judge.add(call);
  Verdict verdict = judge.finish(full_run(), counts_with_operations());
  EXPECT_EQ(verdict.outcome, Outcome::inconclusive);
  EXPECT_TRUE(verdict.violations.empty());
  ASSERT_EQ(verdict.reasons.size(), 1U);
  EXPECT_NE(verdict.reasons[0].find("witnesses disagree about 1 file call"), std::string::npos);
}

TEST(VerifyJudgeTest, EveryLossIsNamedAndForbidsClean) {
  for (loss which : {LOSS_GOROUTINE_UNREADABLE, LOSS_WINDOW_UNREADABLE, LOSS_WINDOW_TABLE_FULL,
                     LOSS_PENDING_TABLE_FULL, LOSS_TLS_MISMATCH, LOSS_TARGET_TABLE_FULL}) {
    VerifyCounts counts = counts_with_operations();
    counts.kernel.lost[which] = 1234;
    Verdict verdict = VerifyJudge{}.finish(full_run(), counts);
    EXPECT_EQ(verdict.outcome, Outcome::inconclusive) << which;
    ASSERT_EQ(verdict.reasons.size(), 1U) << which;
    EXPECT_NE(verdict.reasons[0].find("1,234 "), std::string::npos) << verdict.reasons[0];
  }
  for (std::size_t reason = 0; reason < kDropReasonCount; ++reason) {
    VerifyCounts counts = counts_with_operations();
    counts.dropped[reason] = 1;
    Verdict verdict = VerifyJudge{}.finish(full_run(), counts);
    EXPECT_EQ(verdict.outcome, Outcome::inconclusive) << reason;
    ASSERT_EQ(verdict.reasons.size(), 1U) << reason;
    EXPECT_TRUE(verdict.reasons[0].starts_with("1 record ")) << verdict.reasons[0];
  }
  for (std::size_t kind = 0; kind < EVENT_KIND_COUNT; ++kind) {
    VerifyCounts counts = counts_with_operations();
    counts.events[kind].lost_ring_full = 1;
    EXPECT_EQ(VerifyJudge{}.finish(full_run(), counts).outcome, Outcome::inconclusive) << kind;
  }
}

TEST(VerifyJudgeTest, AFrameThatAReportLacksDecidesNothing) {
  VerifyCounts counts = counts_with_operations();
  counts.kernel.lost[LOSS_STACK_UNREADABLE] = 1;
  EXPECT_EQ(VerifyJudge{}.finish(full_run(), counts).outcome, Outcome::clean);
}

TEST(VerifyJudgeTest, DoubtsOfThePipelineForbidCleanAndNotesDoNot) {
  VerifyRun run = full_run();
  run.notes = {"A note."};
  EXPECT_EQ(VerifyJudge{}.finish(run, counts_with_operations()).outcome, Outcome::clean);
  run.doubts = {"Probes were attached 8 ms after exec."};
  Verdict verdict = VerifyJudge{}.finish(run, counts_with_operations());
  EXPECT_EQ(verdict.outcome, Outcome::inconclusive);
  EXPECT_EQ(verdict.reasons, run.doubts);
}

TEST(VerifyJudgeTest, WithoutWindowsOneWitnessIsNoDisagreement) {
  VerifyRun run = full_run();
  run.scope.windows = false;
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_STACK_ONLY][CALL_CLASS_MEMORY] = 4;
  Verdict verdict = VerifyJudge{}.finish(run, counts);
  EXPECT_EQ(verdict.outcome, Outcome::clean);
  EXPECT_EQ(verdict.witnesses.both, std::nullopt);
  EXPECT_EQ(verdict.witnesses.window_only, std::nullopt);
  EXPECT_EQ(verdict.witnesses.stack_only, 4U);
}

TEST(VerifyJudgeTest, WithoutCreationProbesCreationIsUnknownAndGrowthMustBeSeen) {
  VerifyRun run = full_run();
  run.scope.windows = false;
  run.scope.covered_operations.reset();
  run.scope.covered_operations.set(MAP_OPERATION_TABLE_SPLIT);
  VerifyCounts counts;
  Verdict none = VerifyJudge{}.finish(run, counts);
  EXPECT_EQ(none.outcome, Outcome::inconclusive);
  ASSERT_EQ(none.reasons.size(), 1U);
  EXPECT_NE(none.reasons[0].find("--light"), std::string::npos);
  EXPECT_EQ(none.operations.created, std::nullopt);
  EXPECT_EQ(none.operations.grown, std::nullopt);

  counts.kernel.operations[MAP_OPERATION_TABLE_SPLIT] = 2;
  Verdict seen = VerifyJudge{}.finish(run, counts);
  EXPECT_EQ(seen.outcome, Outcome::clean);
  EXPECT_EQ(seen.operations.split, 2U);
}

TEST(VerifyJudgeTest, CountsOperationsByKind) {
  VerifyCounts counts;
  auto &operations = counts.kernel.operations;
  operations[MAP_OPERATION_MAKE_SMALL] = 1;
  operations[MAP_OPERATION_MAKE] = 2;
  operations[MAP_OPERATION_NEW_MAP] = 4;
  operations[MAP_OPERATION_CLONE] = 8;
  operations[MAP_OPERATION_HASH_GROW] = 16;
  operations[MAP_OPERATION_GROW_TO_TABLE] = 32;
  operations[MAP_OPERATION_REHASH] = 192;
  operations[MAP_OPERATION_CLEAR] = 256;
  counts.kernel.table_grows = 64;
  counts.kernel.table_splits = 128;
  counts.kernel.operations_on_stack[MAP_OPERATION_GROW_TO_TABLE] = 5;
  OperationTotals totals = VerifyJudge{}.finish(full_run(), counts).operations;
  EXPECT_EQ(totals.created, 15U);
  EXPECT_EQ(totals.copied, 8U);
  EXPECT_EQ(totals.grown, 112U);
  EXPECT_EQ(totals.split, 128U);
  EXPECT_EQ(totals.cleared, 256U);
  EXPECT_EQ(totals.on_stack, 5U);
  EXPECT_EQ(totals.observed, 511U);
}

TEST(VerifyJudgeTest, KeepsWitnessesApart) {
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_MEMORY] = 2;
  counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_SCHEDULING] = 3;
  counts.kernel.class_calls[CALL_WINDOW_ONLY][CALL_CLASS_SCHEDULING] = 7;
  counts.kernel.class_calls[CALL_STACK_ONLY][CALL_CLASS_MEMORY] = 11;
  counts.kernel.class_calls[CALL_UNDER_WRITE][CALL_CLASS_MEMORY] = 13;
  counts.kernel.class_calls[CALL_OUTSIDE][CALL_CLASS_MEMORY] = 17;
  Verdict verdict = VerifyJudge{}.finish(full_run(), counts);
  EXPECT_EQ(verdict.witnesses.both, 5U);
  EXPECT_EQ(verdict.witnesses.window_only, 7U);
  EXPECT_EQ(verdict.witnesses.stack_only, 11U);
  EXPECT_EQ(verdict.witnesses.under_write, 13U);
  EXPECT_EQ(verdict.inside[CALL_CLASS_MEMORY], 26U);
  EXPECT_EQ(verdict.inside[CALL_CLASS_SCHEDULING], 10U);
  EXPECT_EQ(verdict.outside[CALL_CLASS_MEMORY], 17U);
}

TEST(VerifyJudgeTest, PutsACallWhereItTurnedOutToBe) {
  VerifyJudge judge;
  AttributedCall call = mmap_outside(4096);
  call.kernel_place = CALL_UNDER_WRITE; // and by its exact stack, outside
  judge.add(call);
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_UNDER_WRITE][CALL_CLASS_MEMORY] = 2;
  counts.calls = {{"mmap", CALL_CLASS_MEMORY, 2, 0}};
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.inside[CALL_CLASS_MEMORY], 1U);
  EXPECT_EQ(verdict.outside[CALL_CLASS_MEMORY], 1U);
  EXPECT_EQ(verdict.memory_calls.at("mmap").inside, 1U);
  EXPECT_EQ(verdict.memory_calls.at("mmap").calls, 2U);
}

TEST(VerifyJudgeTest, AMappingOfAFileInsideIsAViolationAndCountsAsAFileCall) {
  VerifyJudge judge;
  AttributedCall call = mmap_outside(4096);
  call.place = call.kernel_place = CALL_INSIDE;
  call.klass = CALL_CLASS_FILE;
  judge.add(call);
  VerifyCounts counts = counts_with_operations();
  counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_MEMORY] = 1;
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.outcome, Outcome::violated);
  EXPECT_EQ(verdict.inside[CALL_CLASS_FILE], 1U);
  EXPECT_EQ(verdict.inside[CALL_CLASS_MEMORY], 0U);
}

TEST(VerifyJudgeTest, SumsBytesOfCallsThatSucceeded) {
  VerifyJudge judge;
  judge.add(mmap_outside(4096));
  judge.add(mmap_outside(1 << 20));
  judge.add(mmap_outside(1 << 30, -12)); // ENOMEM
  VerifyCounts counts = counts_with_operations();
  counts.calls = {{"mmap", CALL_CLASS_MEMORY, 1, 2}};
  EXPECT_EQ(judge.finish(full_run(), counts).memory_calls.at("mmap").bytes, 4096U + (1U << 20));
}

TEST(VerifyJudgeTest, DoesNotGuessBytesWhenACallWasNotSeenWithItsResult) {
  VerifyJudge judge;
  judge.add(mmap_outside(4096));
  AttributedCall without_result = mmap_outside(4096);
  without_result.result.reset();
  judge.add(without_result);
  VerifyCounts counts = counts_with_operations();
  counts.calls = {{"mmap", CALL_CLASS_MEMORY, 0, 2}, {"mlockall", CALL_CLASS_MEMORY, 0, 1}};
  Verdict verdict = judge.finish(full_run(), counts);
  EXPECT_EQ(verdict.memory_calls.at("mmap").bytes, std::nullopt);
  EXPECT_EQ(verdict.memory_calls.at("mmap").calls, 2U);
  EXPECT_EQ(verdict.memory_calls.at("mlockall").bytes, std::nullopt);
}

TEST(VerifyJudgeTest, SaysThatTheHeapsCallsWereNotMade) {
  Verdict verdict = VerifyJudge{}.finish(full_run(), counts_with_operations());
  for (auto name : {"brk", "madvise", "mmap", "munmap"}) {
    ASSERT_TRUE(verdict.memory_calls.contains(name)) << name;
    EXPECT_EQ(verdict.memory_calls.at(name).calls, 0U);
    EXPECT_EQ(verdict.memory_calls.at(name).bytes, 0U);
  }
}

AttributedCall brk(std::uint64_t asked, std::int64_t answered) {
  AttributedCall call;
  call.name = "brk";
  call.arguments[0] = asked;
  call.klass = call.kernel_class = CALL_CLASS_MEMORY;
  call.result = answered;
  return call;
}

TEST(VerifyJudgeTest, MeasuresHowFarTheBreakMoved) {
  VerifyJudge judge;
  judge.add(brk(0, 0x10000));
  judge.add(brk(0x31000, 0x31000));
  judge.add(brk(0x99000, 0x31000)); // refused: the break stays
  judge.add(brk(0x20000, 0x20000)); // shrinks
  VerifyCounts counts = counts_with_operations();
  counts.calls = {{"brk", CALL_CLASS_MEMORY, 0, 4}};
  EXPECT_EQ(judge.finish(full_run(), counts).memory_calls.at("brk").bytes, 0x21000U);
}

TEST(VerifyJudgeTest, DoesNotKnowHowFarTheBreakMovedFirst) {
  VerifyJudge judge;
  judge.add(brk(0x31000, 0x31000)); // attached late: where was it before?
  VerifyCounts counts = counts_with_operations();
  counts.calls = {{"brk", CALL_CLASS_MEMORY, 0, 1}};
  EXPECT_EQ(judge.finish(full_run(), counts).memory_calls.at("brk").bytes, std::nullopt);
}

TEST(VerifyJudgeTest, AnIoUringRequestInsideIsAViolationAndNoSystemCall) {
  VerifyJudge judge;
  AttributedCall request = write_inside();
  request.is_io_uring = true;
  request.name = "io_uring write";
  judge.add(request);
  request.place = request.kernel_place = CALL_OUTSIDE;
  judge.add(request);
  Verdict verdict = judge.finish(full_run(), counts_with_operations());
  EXPECT_EQ(verdict.outcome, Outcome::violated);
  EXPECT_EQ(verdict.file_calls_inside, 1U);
  EXPECT_EQ(verdict.io_uring_inside[CALL_CLASS_FILE], 1U);
  EXPECT_EQ(verdict.io_uring_outside[CALL_CLASS_FILE], 1U);
  EXPECT_EQ(verdict.inside[CALL_CLASS_FILE], 0U);
}

TEST(VerifyJudgeTest, TellsHeapRequestsInsideFromTheRestWhereTheyWereProbed) {
  VerifyCounts counts = counts_with_operations();
  counts.kernel.large_allocation_count[0] = 1;
  counts.kernel.large_allocation_count[1] = 4;
  counts.kernel.large_allocation_bytes[1] = 7'340'032;
  counts.kernel.heap_grown_bytes[1] = 8'388'608;
  VerifyRun run = full_run();
  run.scope.covered_heap.reset(HEAP_REQUEST_GROW);
  Verdict verdict = VerifyJudge{}.finish(run, counts);
  EXPECT_EQ(verdict.heap_inside.large_allocations, 4U);
  EXPECT_EQ(verdict.heap_inside.large_allocation_bytes, 7'340'032U);
  EXPECT_EQ(verdict.heap_outside.large_allocations, 1U);
  EXPECT_EQ(verdict.heap_inside.grown_bytes, std::nullopt);
}

} // namespace
} // namespace mapscope
