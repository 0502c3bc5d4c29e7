// The verdict of `verify`: pure, so that the same calls and counters give the same verdict
// from a live target, a recording and a test.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "flow/attributed_event.h"
#include "flow/verdict.h"

namespace mapscope {

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
    std::uint64_t seen = 0; // with their result
    std::uint64_t bytes = 0;
  };

  void add_violation(const AttributedCall &call);
  void add_memory_call(const AttributedCall &call);
  void add_example(const AttributedCall &call);

  std::size_t violations_max_;
  std::vector<Violation> violations_;
  std::map<std::uint64_t, std::size_t> last_violation_; // by goroutine: index of its newest
  std::uint64_t violations_not_shown_ = 0;
  std::uint64_t violating_calls_ = 0;
  std::uint64_t disputed_calls_ = 0; // seen by the weak form of the window alone
  // System calls seen here, by where the kernel side counted them; and of those, the ones
  // whose exact place is another.
  std::array<ClassTotals, CALL_PLACE_COUNT> seen_{};
  std::array<std::array<ClassTotals, CALL_PLACE_COUNT>, CALL_PLACE_COUNT> moved_{}; // [from][to]
  ClassTotals io_uring_inside_{}, io_uring_outside_{};
  std::map<std::string, MemoryCalls> memory_calls_;
  std::map<ProcessKey, std::uint64_t> program_break_;
  std::vector<FileCallExample> examples_;
};

} // namespace mapscope
