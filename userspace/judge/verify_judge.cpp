// Sums, folds, and decides.
#include "judge/verify_judge.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "judge/verify_reasons.h"

namespace mapscope {

namespace {

constexpr std::size_t kExamplesMax = 5;

// Same goroutine is the caller's part. Calls on different descriptors differ, unless the path
// is what they are about.
bool alike(const AttributedCall &one, const AttributedCall &other) {
  bool same_object =
      one.path == other.path && (one.path_is_argument || one.arguments[0] == other.arguments[0]);
  return same_object && one.name == other.name && one.operation == other.operation &&
         one.site == other.site && one.witnesses == other.witnesses && one.cause == other.cause;
}

bool is_file_call_inside(const AttributedCall &call) {
  return call.klass == CALL_CLASS_FILE && call.place != CALL_OUTSIDE;
}

// Only a return address that was left on the stack says so, and no map function is there:
// that form is wrong for some calls, so it convicts nobody.
bool is_disputed(const AttributedCall &call) {
  return call.window_by_word && !call.witnesses.stack;
}

std::optional<std::uint64_t> if_covered(const VerifyScope &scope,
                                        std::initializer_list<map_operation> operations,
                                        std::uint64_t count) {
  bool covered = std::ranges::all_of(operations, [&scope](map_operation operation) {
    return scope.covered_operations[operation];
  });
  return covered ? std::optional{count} : std::nullopt;
}

// Told by rehash before it acts, or by split itself where rehash is not probed.
std::optional<std::uint64_t> splits(const target_counts &counts, const VerifyScope &scope,
                                    MapImplementation implementation) {
  if (implementation == MapImplementation::classic)
    return 0; // classic maps have no tables to split
  if (scope.covered_operations[MAP_OPERATION_REHASH])
    return counts.table_splits;
  return if_covered(scope, {MAP_OPERATION_TABLE_SPLIT},
                    counts.operations[MAP_OPERATION_TABLE_SPLIT]);
}

OperationTotals operation_totals(const target_counts &counts, const VerifyScope &scope,
                                 MapImplementation implementation) {
  const auto &entered = counts.operations;
  OperationTotals totals;
  totals.created = if_covered(
      scope,
      {MAP_OPERATION_MAKE_SMALL, MAP_OPERATION_MAKE, MAP_OPERATION_NEW_MAP, MAP_OPERATION_CLONE},
      entered[MAP_OPERATION_MAKE_SMALL] + entered[MAP_OPERATION_MAKE] +
          entered[MAP_OPERATION_NEW_MAP] + entered[MAP_OPERATION_CLONE]);
  totals.grown = if_covered(
      scope, {MAP_OPERATION_HASH_GROW, MAP_OPERATION_GROW_TO_TABLE, MAP_OPERATION_REHASH},
      entered[MAP_OPERATION_HASH_GROW] + entered[MAP_OPERATION_GROW_TO_TABLE] + counts.table_grows);
  totals.split = splits(counts, scope, implementation);
  totals.cleared = if_covered(scope, {MAP_OPERATION_CLEAR}, entered[MAP_OPERATION_CLEAR]);
  totals.copied = if_covered(scope, {MAP_OPERATION_CLONE}, entered[MAP_OPERATION_CLONE]);
  totals.pruned = if_covered(scope, {MAP_OPERATION_PRUNE}, entered[MAP_OPERATION_PRUNE]);
  totals.first_groups =
      if_covered(scope, {MAP_OPERATION_GROW_TO_SMALL}, entered[MAP_OPERATION_GROW_TO_SMALL]);
  for (std::size_t operation = 1; operation < MAP_OPERATION_COUNT; ++operation) {
    totals.observed += entered[operation];
    totals.on_stack += counts.operations_on_stack[operation];
  }
  return totals;
}

HeapTotals heap_totals(const target_counts &counts, const VerifyScope &scope, bool inside) {
  HeapTotals totals;
  if (scope.covered_heap[HEAP_REQUEST_LARGE]) {
    totals.large_allocations = counts.large_allocation_count[inside];
    totals.large_allocation_bytes = counts.large_allocation_bytes[inside];
  }
  if (scope.covered_heap[HEAP_REQUEST_GROW]) {
    totals.grown_count = counts.heap_grown_count[inside];
    totals.grown_bytes = counts.heap_grown_bytes[inside];
  }
  return totals;
}

void sum_calls(const CallsByPlace &calls, const VerifyScope &scope, Verdict &verdict) {
  std::array<std::uint64_t, CALL_PLACE_COUNT> by_place{};
  for (std::size_t place = 0; place < CALL_PLACE_COUNT; ++place)
    for (std::size_t klass = 0; klass < CALL_CLASS_COUNT; ++klass) {
      auto count = static_cast<std::uint64_t>(calls[place][klass]);
      (place == CALL_OUTSIDE ? verdict.outside : verdict.inside)[klass] += count;
      by_place[place] += count;
    }
  verdict.witnesses.stack_only = by_place[CALL_STACK_ONLY];
  verdict.witnesses.under_write = by_place[CALL_UNDER_WRITE];
  if (scope.windows) {
    verdict.witnesses.both = by_place[CALL_INSIDE];
    verdict.witnesses.window_only = by_place[CALL_WINDOW_ONLY];
  }
}

} // namespace

void VerifyJudge::add(const AttributedCall &call) {
  if (call.is_io_uring) {
    ++(call.place == CALL_OUTSIDE ? io_uring_outside_ : io_uring_inside_)[call.klass];
  } else {
    --corrections_[call.kernel_place][call.kernel_class];
    ++corrections_[call.place][call.klass];
    add_memory_call(call);
    if (call.kernel_place == CALL_INSIDE && call.kernel_class == CALL_CLASS_FILE)
      ++seen_inside_;
  }
  if (is_file_call_inside(call))
    add_violation(call);
  else if (call.klass == CALL_CLASS_FILE)
    add_example(call);
}

void VerifyJudge::add_violation(const AttributedCall &call) {
  if (is_disputed(call)) {
    ++disputed_calls_;
    return;
  }
  ++violating_calls_;
  std::uint64_t goroutine = call.goroutine.value_or(0);
  auto newest = newest_.find(goroutine);
  if (newest != newest_.end() && alike(violations_[newest->second].first, call)) {
    ++violations_[newest->second].count;
    return;
  }
  if (violations_.size() == violations_max_) {
    newest_.erase(goroutine);
    ++not_shown_;
    return;
  }
  newest_[goroutine] = violations_.size();
  violations_.push_back({.first = call});
}

void VerifyJudge::add_memory_call(const AttributedCall &call) {
  bool moved = call.kernel_place != CALL_OUTSIDE && call.place == CALL_OUTSIDE;
  auto bytes = meter_.measure(call);
  if (!bytes && !moved)
    return;
  MemoryCalls &calls = memory_calls_[call.name];
  calls.moved_outside += moved;
  if (!bytes)
    return;
  ++calls.measured;
  calls.bytes += *bytes;
}

void VerifyJudge::add_example(const AttributedCall &call) {
  if (!call.path || examples_.size() == kExamplesMax)
    return;
  // One for each path: what is opened is read and closed as well.
  if (std::ranges::find(examples_, *call.path, &FileCallExample::path) == examples_.end())
    examples_.push_back({call.name, *call.path});
}

// The kernel's counts, with each call where it turned out to be.
CallsByPlace VerifyJudge::settled(const VerifyCounts &counts) const {
  CallsByPlace totals{};
  for (std::size_t place = 0; place < CALL_PLACE_COUNT; ++place)
    for (std::size_t klass = 0; klass < CALL_CLASS_COUNT; ++klass) {
      auto counted = static_cast<std::int64_t>(counts.kernel.class_calls[place][klass]);
      totals[place][klass] = std::max<std::int64_t>(0, counted + corrections_[place][klass]);
    }
  return totals;
}

std::map<std::string, MemoryCallTotals>
VerifyJudge::memory_calls(const VerifyCounts &counts) const {
  std::map<std::string, MemoryCallTotals> totals;
  for (auto name : {"brk", "madvise", "mmap", "munmap"})
    totals[name].bytes = 0; // what a heap asks with: not one of them is worth saying too
  for (const CallCount &count : counts.calls) {
    if (count.klass != CALL_CLASS_MEMORY)
      continue;
    MemoryCallTotals &total = totals[count.name];
    total = {.calls = count.inside + count.outside, .inside = count.inside, .bytes = {}};
    auto calls = memory_calls_.find(count.name);
    if (calls == memory_calls_.end())
      continue;
    total.inside -= std::min(total.inside, calls->second.moved_outside);
    if (calls->second.measured == total.calls)
      total.bytes = calls->second.bytes;
  }
  return totals;
}

// Why the verdict is not `clean`, but for what a violation says itself.
std::vector<std::string> VerifyJudge::reasons(const VerifyRun &run,
                                              const VerifyCounts &counts) const {
  std::vector<std::string> reasons;
  if (std::uint64_t unseen = unseen_inside(counts); unseen > 0)
    reasons.push_back(fmt::format(
        "{} inside map operations are known by their number alone: their records were lost.",
        format_counted(unseen, "file call")));
  if (disputed_calls_ > 0)
    reasons.push_back(fmt::format(
        "The witnesses disagree about {}: a return address on the stack speaks for a map "
        "operation, and no map function is there.",
        format_counted(disputed_calls_, "file call")));
  reasons.insert(reasons.end(), run.doubts.begin(), run.doubts.end());
  std::ranges::move(loss_reasons(counts), std::back_inserter(reasons));
  return reasons;
}

// File calls that both witnesses saw, and whose records did not come.
std::uint64_t VerifyJudge::unseen_inside(const VerifyCounts &counts) const {
  std::uint64_t counted = counts.kernel.class_calls[CALL_INSIDE][CALL_CLASS_FILE];
  return counted - std::min(counted, seen_inside_);
}

Verdict VerifyJudge::finish(VerifyRun run, VerifyCounts counts) const {
  Verdict verdict;
  verdict.operations = operation_totals(counts.kernel, run.scope, run.target.map_implementation);
  verdict.heap_inside = heap_totals(counts.kernel, run.scope, true);
  verdict.heap_outside = heap_totals(counts.kernel, run.scope, false);
  verdict.memory_calls = memory_calls(counts);
  verdict.io_uring_inside = io_uring_inside_;
  verdict.io_uring_outside = io_uring_outside_;
  verdict.violations = violations_;
  verdict.violations_not_shown = not_shown_;
  verdict.file_calls_inside = violating_calls_ + unseen_inside(counts);
  verdict.outside_examples = examples_;
  sum_calls(settled(counts), run.scope, verdict);

  verdict.reasons = reasons(run, counts);
  if (verdict.file_calls_inside > 0) {
    verdict.outcome = Outcome::violated;
  } else {
    std::ranges::move(coverage_reasons(verdict.operations, run.scope),
                      std::back_inserter(verdict.reasons));
    verdict.outcome = verdict.reasons.empty() ? Outcome::clean : Outcome::inconclusive;
  }
  verdict.run = std::move(run);
  verdict.counts = std::move(counts);
  return verdict;
}

} // namespace mapscope
