// docs/rules.md tells of every kind of rule, and of every number that a finding has.
#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "flow/rule.h"
#include "support/file_content.h"

namespace mapscope {
namespace {

std::string document() { return testing::file_text(MAPSCOPE_RULES_DOCUMENT); }

// From the heading of a kind to the next heading.
std::string section_of(const std::string &text, std::string_view kind) {
  const auto begin = text.find("\n### `" + std::string{kind} + "`\n");
  if (begin == text.npos)
    return {};
  return text.substr(begin, text.find("\n#", begin + 1) - begin);
}

TEST(RulesDocumentTest, HasASectionForEachKind) {
  const std::string text = document();
  for (std::string_view kind : kRuleKindNames) {
    const std::string section = section_of(text, kind);
    EXPECT_FALSE(section.empty()) << kind;
    for (std::string_view part : {"Speaks when", "Numbers", "What to do"})
      EXPECT_NE(section.find(part), section.npos) << kind << " lacks: " << part;
  }
}

TEST(RulesDocumentTest, NamesEachNumberOfTheRecordedFindings) {
  const std::string text = document();
  for (std::string_view kind : kRuleKindNames) {
    std::ifstream file{MAPSCOPE_SAMPLES_DIR "/" + std::string{kind} + ".expected.jsonl"};
    std::string line;
    ASSERT_TRUE(std::getline(file, line)) << kind;
    const auto begin = line.find(R"("numbers":{)");
    ASSERT_NE(begin, line.npos);
    for (auto at = line.find('"', begin + 11); at != line.npos;
         at = line.find('"', line.find('"', at + 1) + 1)) {
      const std::string name = line.substr(at + 1, line.find('"', at + 1) - at - 1);
      EXPECT_NE(text.find("`" + name + "`"), text.npos) << name << " of " << kind;
    }
  }
}

} // namespace
} // namespace mapscope
