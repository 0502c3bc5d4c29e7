// The verdict of `verify`: pure, so that the same calls and counters give the same verdict
// from a live target, a recording and a test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flow/attributed_event.h"
#include "flow/verdict.h"
#include "judge/memory_call_meter.h"

namespace mapscope {

// Indexed by call_place and call_class. Signed, since it also holds differences.
using CallsByPlace = std::array<std::array<std::int64_t, CALL_CLASS_COUNT>, CALL_PLACE_COUNT>;

// `clean` needs at least one operation observed, no file call inside one, nothing lost and
// no doubt. A file call inside an operation is `violated`, whatever else was lost. The rest
// is `inconclusive`, with the reasons.
class VerifyJudge {
public:
  // Violations beyond so many are counted, not kept.
  explicit VerifyJudge(std::size_t violations_max = 1000) : violations_max_(violations_max) {}

  // Every attributed call of the target, in the order of completion.
  void add(const AttributedCall &call);

  // `counts` are read after the last record was drained.
  Verdict finish(VerifyRun run, VerifyCounts counts) const;

private:
  struct MemoryCalls {
    std::uint64_t measured = 0; // calls whose bytes are known, failed ones included
    std::uint64_t bytes = 0;
    std::uint64_t moved_outside = 0; // that the kernel side counted inside
  };

  void add_violation(const AttributedCall &call);
  void add_memory_call(const AttributedCall &call);
  void add_example(const AttributedCall &call);
  CallsByPlace settled(const VerifyCounts &counts) const;
  std::uint64_t unseen_inside(const VerifyCounts &counts) const;
  std::vector<std::string> reasons(const VerifyRun &run, const VerifyCounts &counts) const;
  std::map<std::string, MemoryCallTotals> memory_calls(const VerifyCounts &counts) const;

  std::size_t violations_max_;
  std::vector<Violation> violations_;
  std::map<std::uint64_t, std::size_t> newest_; // by goroutine: index of its newest violation
  std::uint64_t not_shown_ = 0;
  std::uint64_t violating_calls_ = 0;
  std::uint64_t disputed_calls_ = 0; // seen by the weak form of the window alone
  std::uint64_t seen_inside_ = 0;    // file calls that the kernel side counted as CALL_INSIDE
  CallsByPlace corrections_{};       // what exact places and classes change in the kernel's counts
  ClassTotals io_uring_inside_{}, io_uring_outside_{};
  std::map<std::string, MemoryCalls> memory_calls_;
  MemoryCallMeter meter_;
  std::vector<FileCallExample> examples_;
};

} // namespace mapscope
