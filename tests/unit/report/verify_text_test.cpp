// The screen of `verify`: the verdict first, all of it on one screen.
#include "report/verify_text.h"

#include <algorithm>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "unit/report/verify_fixture.h"

namespace mapscope {
namespace {

bool has(const std::string &text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(VerifyTextTest, SaysTheVerdictFirst) {
  EXPECT_TRUE(verify_text(clean_verdict(), false)
                  .starts_with("CLEAN: no file call inside any of 41 observed map operations\n"));
  EXPECT_TRUE(verify_text(violated_verdict(), false)
                  .starts_with("VIOLATED: 39 file calls inside map operations\n"));
  EXPECT_TRUE(verify_text(inconclusive_verdict(), false).starts_with("INCONCLUSIVE: "));
}

TEST(VerifyTextTest, ShowsTheWholeOfAViolation) {
  std::string text = verify_text(violated_verdict(), false);
  for (auto part :
       {"write(2 = /var/log/gc.log)", "39 times", "growth", "main.fill", "/src/main.go:12",
        "goroutine 1", "window and stack", "cause: the garbage collector"})
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
}

TEST(VerifyTextTest, ShowsWhyItCouldNotTell) {
  EXPECT_TRUE(has(verify_text(inconclusive_verdict(), false), "5 events lost"));
}

TEST(VerifyTextTest, SaysInWordsThatGrowthCausesNoSystemCall) {
  std::string text = verify_text(clean_verdict(), false);
  EXPECT_TRUE(has(text, "Most growth causes no system call at all."));
  EXPECT_TRUE(has(text, "0 brk (Go itself never moves the break)"));

  Verdict quiet = clean_verdict();
  quiet.inside[CALL_CLASS_MEMORY] = 0;
  EXPECT_TRUE(has(verify_text(quiet, false), "No map growth caused a memory call"));

  Verdict busy = clean_verdict();
  busy.inside[CALL_CLASS_MEMORY] = 30; // of 31 growths: no longer true
  EXPECT_FALSE(has(verify_text(busy, false), "Most growth"));
}

TEST(VerifyTextTest, DoesNotSayZeroForWhatWasNotObserved) {
  Verdict verdict = clean_verdict();
  verdict.operations.created.reset();
  verdict.operations.cleared.reset();
  std::string text = verify_text(verdict, false);
  EXPECT_TRUE(has(text, "31 grown, 0 split; not observed: created, cleared")) << text;
}

TEST(VerifyTextTest, NamesTheDisagreementsOfTheWitnesses) {
  EXPECT_TRUE(has(verify_text(clean_verdict(), false), "no disagreement"));
  Verdict verdict = clean_verdict();
  verdict.witnesses.window_only = 3;
  std::string text = verify_text(verdict, false);
  EXPECT_TRUE(has(text, "3 by the window alone, 0 by the stack alone")) << text;
  verdict.witnesses.both.reset();
  EXPECT_TRUE(has(verify_text(verdict, false), "stack alone (--light)"));
}

TEST(VerifyTextTest, ShowsThatItSeesFileCalls) {
  std::string text = verify_text(clean_verdict(), false);
  EXPECT_TRUE(has(text, "57 file"));
  EXPECT_TRUE(has(text, "openat /etc/hosts"));
}

TEST(VerifyTextTest, CountsEveryKindOfLoss) {
  Verdict verdict = clean_verdict();
  EXPECT_TRUE(has(verify_text(verdict, false), "100 sent, none lost"));
  verdict.counts.events[EVENT_KIND_SYSTEM_CALL].lost_ring_full = 1;
  verdict.counts.kernel.lost[LOSS_TLS_MISMATCH] = 2;
  verdict.counts.dropped[0] = 4;
  EXPECT_TRUE(has(verify_text(verdict, false), "100 sent, 7 lost"));
}

TEST(VerifyTextTest, FitsOneScreenHoweverMuchThereIsToSay) {
  Verdict verdict = violated_verdict();
  AttributedCall call = gc_trace_write();
  call.path = std::string(255, 'p');
  verdict.violations.assign(500, {.first = call, .count = 2});
  verdict.reasons.assign(50, std::string(120, 'r'));
  verdict.run.notes.assign(50, "A note that is not long.");
  verdict.operations.on_stack = 5;
  verdict.io_uring_outside[CALL_CLASS_FILE] = 1;
  verdict.memory_calls["munmap"] = {.calls = 1, .inside = 0, .bytes = 4096};
  std::string text = verify_text(verdict, false);
  EXPECT_LE(std::ranges::count(text, '\n'), 40) << text;
  EXPECT_TRUE(has(text, "497 more groups"));
  EXPECT_TRUE(has(text, "and 47 more"));
}

TEST(VerifyTextTest, KeepsTheEndOfALongPath) {
  Verdict verdict = violated_verdict();
  // 79 bytes from the end is the second byte of a character: it is left out as a whole.
  verdict.violations[0].first.path = "/" + std::string(30, 'a') + "\xc3\xbc" + std::string(79, 'b');
  EXPECT_TRUE(has(verify_text(verdict, false), "..." + std::string(79, 'b') + ")"));
}

TEST(VerifyTextTest, WrapsAtAHundredColumns) {
  Verdict verdict = inconclusive_verdict();
  verdict.reasons[0] += "."; // so that the next words end on odd columns
  for (int i = 0; i < 60; ++i)
    verdict.reasons[0] += " w"; // would end on column 101 too
  std::istringstream lines{verify_text(verdict, false)};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
}

TEST(VerifyTextTest, ATargetCannotSteerTheTerminal) {
  Verdict verdict = violated_verdict();
  verdict.run.target.exe = "/tmp/\x1b]0;exe";
  verdict.violations[0].first.path = "/tmp/\x1b[2Jpath";
  verdict.violations[0].first.site->function = "main.\x1b[2J";
  verdict.outside_examples[0].path = "/" + std::string(200, 'x') + "\x1b[2J";
  EXPECT_EQ(verify_text(verdict, false).find('\x1b'), std::string::npos);
}

TEST(VerifyTextTest, ColoursOnlyWhenAsked) {
  EXPECT_EQ(verify_text(violated_verdict(), false).find('\x1b'), std::string::npos);
  EXPECT_TRUE(verify_text(violated_verdict(), true).starts_with("\x1b[1;31mVIOLATED"));
  EXPECT_TRUE(verify_text(clean_verdict(), true).starts_with("\x1b[1;32mCLEAN"));
}

TEST(VerifyTextTest, SaysHowTheCommandEnded) {
  Verdict verdict = clean_verdict();
  EXPECT_EQ(verify_text(verdict, false).find("\ncommand "), std::string::npos);
  verdict.run.command = CommandEnd{.exit_status = 5, .signal = {}};
  EXPECT_NE(verify_text(verdict, false).find("exited with status 5"), std::string::npos);
  verdict.run.command = CommandEnd{.exit_status = {}, .signal = 9};
  EXPECT_NE(verify_text(verdict, false).find("ended by signal 9"), std::string::npos);
  verdict.run.command = CommandEnd{};
  EXPECT_NE(verify_text(verdict, false).find("still runs"), std::string::npos);
}

} // namespace
} // namespace mapscope
