// What holds for the default rules, whatever their numbers.
#include <set>

#include <gtest/gtest.h>

#include "config/config.h"
#include "unit/config/wrong_config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

TEST(DefaultRulesTest, ThereIsOneOfEachKindByItsName) {
  std::set<std::string_view> kinds;
  for (const Rule &rule : default_rules()) {
    EXPECT_EQ(rule.name, kind_name_of(rule.condition));
    kinds.insert(kind_name_of(rule.condition));
  }
  EXPECT_EQ(kinds.size(), kRuleKindNames.size());
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
