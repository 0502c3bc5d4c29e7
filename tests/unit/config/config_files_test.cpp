// The configuration that is installed, and the pages that explain it, against what is read.
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "config/config.h"
#include "support/file_content.h"

namespace mapscope {
namespace {

std::string content_of(const std::string &path) {
  std::string text = testing::file_text(std::string{MAPSCOPE_SOURCE_DIR} + "/" + path);
  EXPECT_FALSE(text.empty()) << path;
  return text;
}

// Comments are "# words"; settings that are commented out are "#key: value".
std::string with_all_examples(const std::string &text) {
  static const std::regex example{"^( +)#(?! [^ ])"};
  std::stringstream lines{text};
  std::string all;
  for (std::string line; std::getline(lines, line);)
    all += std::regex_replace(line, example, "$1") + "\n";
  return all;
}

TEST(ConfigFilesTest, TheInstalledConfigurationSaysTheDefaults) {
  const auto config = parse_config(content_of("packaging/mapscope.yaml"), "mapscope.yaml");
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config_text(*config), config_text(default_config()));
}

TEST(ConfigFilesTest, ItsExamplesAreRight) {
  const std::string text = with_all_examples(content_of("packaging/mapscope.yaml"));
  const auto config = parse_config(text, "mapscope.yaml");
  ASSERT_TRUE(config.has_value()) << config.error().message() << text;
  EXPECT_EQ(config->alerts.sinks.size(), 4U);
  EXPECT_EQ(config->alerts.silences.size(), 1U);
  EXPECT_EQ(config->watch.include.size(), 2U);
  EXPECT_EQ(config->watch.exclude.size(), 1U);
  EXPECT_EQ(config->alerts.labels.size(), 1U);
  EXPECT_EQ(config->rules.size(), default_rules().size() + 2); // three more, one switched off
}

// The last word of "alerts.sinks[].url".
std::string last_word(const std::string &key) { return key.substr(key.find_last_of('.') + 1); }

TEST(ConfigFilesTest, EveryKeyIsDocumented) {
  const std::string document = content_of("docs/configuration.md");
  const std::vector<std::string> keys = config_keys();
  EXPECT_GT(keys.size(), 80U);
  for (const std::string &key : keys)
    EXPECT_TRUE(document.contains("`" + last_word(key) + "`")) << key;
}

TEST(ConfigFilesTest, EveryKeyIsInTheManualPage) {
  std::string page = content_of("packaging/man/mapscope.yaml.5");
  std::erase(page, '\\');
  for (const std::string &key : config_keys()) {
    const std::regex word{"\\b" + last_word(key) + "\\b"};
    EXPECT_TRUE(std::regex_search(page, word)) << key;
  }
}

TEST(ConfigFilesTest, NoDocumentedKeyIsUnknown) {
  const std::string document = content_of("docs/configuration.md");
  std::string known;
  for (const std::string &key : config_keys())
    known += " " + last_word(key) + " ";
  static const std::regex row{"\\n\\| `([a-z_]+)` \\|"};
  std::size_t row_count = 0;
  for (std::sregex_iterator it{document.begin(), document.end(), row}, end; it != end; ++it) {
    ++row_count;
    EXPECT_TRUE(known.contains(" " + (*it)[1].str() + " ")) << (*it)[1];
  }
  EXPECT_GT(row_count, 60U);
}

} // namespace
} // namespace mapscope
