// What `verify` makes of a whole run, told by hand.
#include "pipeline/verify_analysis.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/synthetic_run.h"

namespace mapscope {
namespace {

bool doubts_calls_of_c(bool uses_cgo, std::optional<std::int32_t> tls_offset) {
  TargetStart target = synthetic_target(0, nullptr);
  auto facts = std::make_shared<BinaryFacts>(*target.facts);
  facts->uses_cgo = uses_cgo;
  facts->tls_offset = tls_offset;
  target.facts = facts;
  target.is_first = true;
  VerifyAnalysis analysis;
  analysis.start({});
  analysis.target_start(target);
  analysis.end(synthetic_end());
  const auto verdict = analysis.verdict();
  return verdict && std::ranges::any_of(verdict->reasons, [](const std::string &reason) {
           return reason.find("linked with C code") != std::string::npos;
         });
}

// Such calls have no goroutine, and count as outside: clean would be a guess.
TEST(VerifyAnalysisTest, CallsOfCCodeAreOpenWhereThreadsDoNotTellTheirGoroutine) {
  EXPECT_TRUE(doubts_calls_of_c(true, std::nullopt));
  EXPECT_FALSE(doubts_calls_of_c(true, -8));
  EXPECT_FALSE(doubts_calls_of_c(false, std::nullopt));
}

} // namespace
} // namespace mapscope
