// What holds for the default rules, whatever their numbers.
#include <set>

#include <gtest/gtest.h>

#include "config/config.h"
#include "unit/config/wrong_config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

// What would disturb a host on which nothing is wrong, or cost every process something.
const std::set<std::string_view> kOnlyWhereAsked = {"bpf-lookups", "bpf-insert-failures"};

TEST(DefaultRulesTest, ThereIsOneOfEachKindByItsName) {
  std::set<std::string_view> kinds;
  for (const Rule &rule : default_rules()) {
    EXPECT_EQ(rule.name, kind_name_of(rule.condition));
    kinds.insert(kind_name_of(rule.condition));
  }
  for (std::string_view kind : kRuleKindNames)
    EXPECT_NE(kinds.contains(kind), kOnlyWhereAsked.contains(kind)) << kind;
}

// What is judged by figures of one moment has to hold; only what was seen to go wrong, and what
// has a window of its own, may speak at once.
TEST(DefaultRulesTest, AMomentProvesNothing) {
  for (const Rule &rule : default_rules()) {
    const bool may_speak_at_once = std::holds_alternative<MapMisuseRule>(rule.condition) ||
                                   std::holds_alternative<FileIoRule>(rule.condition) ||
                                   std::holds_alternative<AllocsMinusFreesRule>(rule.condition) ||
                                   std::holds_alternative<MemoryLimitRule>(rule.condition);
    EXPECT_TRUE(may_speak_at_once || rule.hold >= 5min) << rule.name;
  }
}

TEST(DefaultRulesTest, TheirNumbersAreAllowedInAFile) {
  EXPECT_EQ(problems_of(config_text(default_config())), "");
}

} // namespace
} // namespace mapscope
