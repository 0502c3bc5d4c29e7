// Rules in the file: of one's own, over a default one, switched off.
#include <algorithm>

#include <gtest/gtest.h>

#include "config/config.h"
#include "unit/config/wrong_config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

std::vector<Rule> rules_of(std::string_view text) {
  auto config = parse_config(text, "c");
  if (!config) {
    ADD_FAILURE() << config.error().message();
    return {};
  }
  return std::move(config->rules);
}

const Rule *find(const std::vector<Rule> &rules, std::string_view name) {
  const auto found = std::ranges::find(rules, name, &Rule::name);
  return found == rules.end() ? nullptr : &*found;
}

TEST(RuleFieldsTest, ARuleOfOnesOwnStandsBesideTheDefaults) {
  const auto rules = rules_of("rules:\n"
                              "  - name: big\n"
                              "    kind: map-bytes\n"
                              "    max_bytes: 256MiB\n"
                              "    severity: critical\n"
                              "    hold: 5m\n"
                              "    keep: 1m\n"
                              "    hysteresis: 20%\n"
                              "    labels: {team: shop}\n"
                              "    only: {unit: shop.service}\n");
  EXPECT_EQ(rules.size(), default_rules().size() + 1);
  const Rule *rule = find(rules, "big");
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(std::get<MapBytesRule>(rule->condition).max_bytes, 256U << 20);
  EXPECT_EQ(rule->severity, Severity::critical);
  EXPECT_EQ(rule->hold, 5min);
  EXPECT_EQ(rule->keep, 1min);
  EXPECT_EQ(rule->hysteresis, 0.2);
  EXPECT_EQ(rule->labels.at("team"), "shop");
  EXPECT_EQ(rule->only.unit, std::vector<std::string>{"shop.service"});
}

TEST(RuleFieldsTest, ADefaultRuleChangesInWhatTheFileSays) {
  const auto rules = rules_of("rules: [{name: map-waste, min_reclaimable_bytes: 1GiB}]");
  const auto defaults = default_rules();
  EXPECT_EQ(rules.size(), defaults.size());
  const auto &waste = std::get<MapWasteRule>(find(rules, "map-waste")->condition);
  EXPECT_EQ(waste.min_reclaimable_bytes, 1U << 30);
  EXPECT_EQ(waste.min_share,
            std::get<MapWasteRule>(find(defaults, "map-waste")->condition).min_share);
  EXPECT_EQ(find(rules, "map-waste")->hold, find(defaults, "map-waste")->hold);
}

TEST(RuleFieldsTest, ADefaultRuleOfAnotherKindStartsAnew) {
  const auto rules = rules_of("rules: [{name: map-waste, kind: map-bytes}]");
  EXPECT_EQ(std::get<MapBytesRule>(find(rules, "map-waste")->condition).max_bytes,
            MapBytesRule{}.max_bytes);
  EXPECT_EQ(find(rules, "map-waste")->hold, Rule{}.hold);
}

TEST(RuleFieldsTest, ADefaultRuleCanBeSwitchedOff) {
  const auto rules = rules_of("rules: [{name: file-io, enabled: false}]");
  EXPECT_EQ(find(rules, "file-io"), nullptr);
  EXPECT_EQ(rules.size(), default_rules().size() - 1);
}

TEST(RuleFieldsTest, AllDefaultRulesCanBeSwitchedOff) {
  EXPECT_TRUE(rules_of("default_rules: false").empty());
  EXPECT_EQ(rules_of("default_rules: false\nrules: [{name: map-misuse, kind: map-misuse}]").size(),
            1U);
  EXPECT_EQ(rules_of("default_rules: true").size(), default_rules().size());
}

TEST(RuleFieldsTest, AThresholdThatMayBeAbsentIsTakenAwayWithNull) {
  const auto rules = rules_of("rules: [{name: map-growth, censuses_in_a_row: null}]");
  const auto &growth = std::get<MapGrowthRule>(find(rules, "map-growth")->condition);
  EXPECT_FALSE(growth.censuses_in_a_row);
  EXPECT_TRUE(growth.bytes_per_minute);
}

TEST(RuleFieldsTest, RulesAboutTheKernelChooseMapsAndTypes) {
  const auto rules = rules_of("rules: [{name: a, kind: bpf-fill, maps: \"ct*\", types: [lru_hash, "
                              "hash], full_within: 0, min_entries: 100}]");
  const auto &fill = std::get<BpfFillRule>(find(rules, "a")->condition);
  EXPECT_EQ(fill.maps, std::vector<std::string>{"ct*"});
  EXPECT_EQ(fill.types, (std::vector<std::string>{"lru_hash", "hash"}));
  EXPECT_EQ(fill.full_within, 0s);
  EXPECT_EQ(fill.min_entries, 100U);
}

TEST(RuleFieldsTest, EveryKindCanBeWritten) {
  for (std::string_view kind : kRuleKindNames) {
    const auto rules =
        rules_of(fmt::format("default_rules: false\nrules: [{{name: a, kind: {}{}}}]", kind,
                             kind == "map-growth" ? ", entries_per_minute: 100, window: 1m" : ""));
    ASSERT_EQ(rules.size(), 1U) << kind;
    EXPECT_EQ(kind_name_of(rules[0].condition), kind);
  }
}

TEST(RuleFieldsTest, WhatIsWrongIsNamed) {
  const std::pair<const char *, const char *> cases[] = {
      {"rules: {}", "rules: a map; expected a list of rules"},
      {"rules: [word]", "rules[0]: a single value"},
      {"rules: [{kind: map-bytes}]", "rules[0].name: is missing"},
      {"rules: [{name: a b, kind: map-bytes}]", "\"a b\" is no name"},
      {"rules: [{name: map-wast}]",
       "rules[0].kind: is missing, and no default rule has that name (did you mean "
       "\"map-waste\"?)"},
      {"rules: [{name: a, kind: map-byte}]",
       "\"map-byte\" is unknown (did you mean \"map-bytes\"?)"},
      {"rules: [{name: a, kind: }]", "rules[0].kind: nothing"},
      {"rules: [{name: a, kind: map-bytes, max_entries: 1}]", "rules[0].max_entries: no such key"},
      {"rules: [{name: a, kind: map-bytes, max_bytes: 0}]", "out of range"},
      {"rules: [{name: a, kind: map-bytes}, {name: a, kind: map-fill}]",
       "c:1:44: rules[1].name: \"a\" stands here twice"},
      {"rules: [{name: map-waste, enabled: false}, {name: map-waste}]", "twice"},
      {"rules: [{name: a, kind: map-growth}]", "rules[0]: never speaks"},
      {"rules: [{name: a, kind: map-bytes, severity: high}]", "rules[0].severity: \"high\""},
      {"rules: [{name: a, kind: map-bytes, labels: {__x: y}}]", "rules[0].labels.__x: "},
      {"rules: [{name: a, kind: map-bytes, only: {uid: 1}}]", "rules[0].only.uid: no such key"},
      {"rules: [{name: a, kind: map-bytes, hysteresis: 100%}]", "out of range"},
      {"rules: [{name: a, kind: bpf-fill, only: {unit: x}}]",
       "rules[0].only: the kernel's maps are of no process"},
      {"default_rules: maybe", "default_rules: \"maybe\" is neither"},
      {"default_rules: false\nrules: [{name: map-waste}]", "rules[0].kind: is missing"},
  };
  for (const auto &[text, part] : cases)
    EXPECT_NE(problems_of(text).find(part), std::string::npos)
        << text << "\n  says: " << problems_of(text) << "\n  not: " << part;
  std::string many = "rules:\n";
  for (int i = 0; i < 501; ++i)
    many += fmt::format("  - {{name: r{}, kind: file-io}}\n", i);
  EXPECT_NE(problems_of(many).find("501 rules; expected at most 500"), std::string::npos);
}

} // namespace
} // namespace mapscope
