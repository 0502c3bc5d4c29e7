// Stacks of real violations, as they were recorded, and the cause that each shows.
#include "attribute/cause.h"

#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

std::vector<SourceFrames> stack(std::initializer_list<const char *> functions) {
  std::vector<SourceFrames> frames;
  for (const char *function : functions)
    frames.push_back({SourceFrame{.function = function, .file = "x.go", .line = 1}});
  return frames;
}

void expect_cause(const std::vector<SourceFrames> &above, std::string_view part) {
  auto cause = known_cause(above, false);
  ASSERT_TRUE(cause) << part;
  EXPECT_NE(cause->find(part), std::string::npos) << *cause;
}

TEST(CauseTest, KnowsTheTraceOfTheCollector) {
  expect_cause(
      stack({"runtime.write1.abi0", "runtime.writeErrData", "runtime.gwrite", "runtime.printstring",
             "runtime.gcMarkTermination", "runtime.gcMarkDone", "runtime.gcAssistAlloc",
             "runtime.mallocgc", "internal/runtime/maps.newarray"}),
      "GODEBUG=gctrace=1");
}

TEST(CauseTest, KnowsTheTraceOfTheScavenger) {
  expect_cause(stack({"runtime.write1.abi0", "runtime.gwrite", "runtime.printScavTrace"}),
               "GODEBUG=scavtrace=1");
}

TEST(CauseTest, KnowsFatalErrors) {
  expect_cause(stack({"runtime.write1.abi0", "runtime.printstring", "runtime.throw.func1"}),
               "fatal error");
  expect_cause(stack({"runtime.write1.abi0", "runtime.gwrite", "runtime.fatalpanic"}), "panic");
}

TEST(CauseTest, KnowsThatTheRuntimePrintsEvenIfNotWhy) {
  expect_cause(stack({"runtime.write1.abi0", "runtime.gwrite", "runtime.somethingNew"}),
               "the runtime prints");
}

TEST(CauseTest, KnowsCCode) {
  auto cause = known_cause(stack({"runtime.mallocgc"}), true);
  ASSERT_TRUE(cause);
  EXPECT_NE(cause->find("C code"), std::string::npos);
}

TEST(CauseTest, InventsNoCause) {
  EXPECT_EQ(known_cause({}, false), std::nullopt);
  EXPECT_EQ(known_cause(stack({"runtime.mallocgc"}), false), std::nullopt);
  // The collector at work is no cause of a write that it does not print.
  EXPECT_EQ(known_cause(stack({"runtime.openat.abi0", "runtime.gcMarkTermination"}), false),
            std::nullopt);
  EXPECT_EQ(known_cause(stack({"runtime.writebarrier"}), false), std::nullopt);
}

} // namespace
} // namespace mapscope
