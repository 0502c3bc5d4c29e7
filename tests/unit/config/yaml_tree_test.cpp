// What YAML is taken, and what is refused before anybody looks at its keys.
#include "config/yaml_tree.h"

#include <gtest/gtest.h>

namespace mapscope::configuration {
namespace {

std::string refusal_of(std::string_view text) {
  const auto tree = parse_yaml(text, "c");
  if (tree)
    return "";
  EXPECT_EQ(tree.error().code(), Errc::usage);
  return tree.error().message();
}

TEST(YamlTreeTest, EveryValueKnowsWhereItStands) {
  const auto tree = parse_yaml("a:\n  - x\n  - b: 1\n", "c");
  ASSERT_TRUE(tree.has_value());
  const YamlEntry &a = tree->entries.at(0);
  EXPECT_EQ(a.mark.line, 1);
  EXPECT_EQ(a.value.items.at(0).mark.line, 2);
  EXPECT_EQ(a.value.items.at(0).mark.column, 5);
  EXPECT_EQ(a.value.items.at(1).entries.at(0).value.text, "1");
  EXPECT_EQ(a.value.items.at(1).entries.at(0).mark.line, 3);
}

TEST(YamlTreeTest, NothingIsAnEmptyValue) {
  for (const char *text : {"", "# only a comment\n", "---\n", "~", "null"})
    EXPECT_EQ(parse_yaml(text, "c")->kind, YamlKind::empty) << text;
}

TEST(YamlTreeTest, AliasesAreRefused) {
  EXPECT_EQ(refusal_of("a: &x 1\nb: *x\n"),
            "c:1:4: an anchor (\"&name\"); expected the value alone");
  EXPECT_FALSE(refusal_of("a: *x\n").empty());
  std::string laughs = "a: &a [x, x]\n";
  for (char name = 'b'; name < 'z'; ++name)
    laughs += fmt::format("{}: &{} [*{}, *{}]\n", name, name, static_cast<char>(name - 1),
                          static_cast<char>(name - 1));
  EXPECT_FALSE(refusal_of(laughs).empty());
}

TEST(YamlTreeTest, TagsAreRefused) {
  EXPECT_EQ(refusal_of("a: !!binary aGk=\n"), "c:1:4: a tag (\"!name\"); expected the value alone");
  EXPECT_FALSE(refusal_of("!x {a: 1}").empty());
}

TEST(YamlTreeTest, ASecondDocumentIsRefused) {
  EXPECT_EQ(refusal_of("a: 1\n---\nb: 2\n"), "c:3:1: a second document; expected one");
}

TEST(YamlTreeTest, DepthIsLimited) {
  for (const std::size_t depth : {17UL, 1000UL, 100'000UL})
    EXPECT_NE(refusal_of(std::string(depth, '[') + std::string(depth, ']')).find("deep"),
              std::string::npos)
        << depth;
  EXPECT_FALSE(refusal_of(std::string(100'000, '[')).empty());
  EXPECT_FALSE(refusal_of(std::string(100'000, '{')).empty());
}

TEST(YamlTreeTest, ValuesAreCounted) {
  std::string many = "[";
  for (std::size_t i = 0; i <= kYamlNodesMax; ++i)
    many += "a,";
  EXPECT_NE(refusal_of(many + "]").find("more than 50000 values"), std::string::npos);
}

TEST(YamlTreeTest, AnHugeTextIsRefused) {
  EXPECT_FALSE(refusal_of(std::string(kYamlBytesMax + 1, ' ')).empty());
}

TEST(YamlTreeTest, WhatIsNoUtf8IsRefusedWithItsPlace) {
  using namespace std::string_view_literals;
  EXPECT_EQ(refusal_of("a: 1\nb: \xff\n"), "c:2:4: byte 0xff; expected text in UTF-8");
  EXPECT_EQ(refusal_of("a: \0"sv), "c:1:4: byte 0x00; expected text in UTF-8");
  EXPECT_FALSE(refusal_of("\xff\xfe"
                          "a\0"sv)
                   .empty());
  EXPECT_FALSE(refusal_of("a: \xc3").empty());
  EXPECT_TRUE(refusal_of("a: \xc3\xa4").empty());
}

TEST(YamlTreeTest, WhatIsNoYamlIsRefusedWithItsPlace) {
  EXPECT_EQ(refusal_of("a: [1, 2\nb: 3\n").substr(0, 4), "c:2:");
  EXPECT_FALSE(refusal_of("a: [x").empty());
  EXPECT_FALSE(refusal_of("a: b: c\n").empty());
  EXPECT_FALSE(refusal_of("? [a, b]\n: 1\n").empty());
}

TEST(YamlTreeTest, ATreeReadsAsItWasWritten) {
  const auto tree =
      parse_yaml("a: ['', \"null\", '*x', 'a: b', '#', \"\\u00e4\"]\nb: ~\nc: {}\n", "c");
  ASSERT_TRUE(tree.has_value());
  const std::string text = yaml_text(*tree);
  const auto again = parse_yaml(text, "again");
  ASSERT_TRUE(again.has_value()) << again.error().message() << text;
  EXPECT_EQ(yaml_text(*again), text);
  EXPECT_EQ(again->entries.at(0).value.items.at(1).text, "null");
  EXPECT_EQ(again->entries.at(1).value.kind, YamlKind::empty);
  EXPECT_EQ(again->entries.at(2).value.kind, YamlKind::map);
}

} // namespace
} // namespace mapscope::configuration
