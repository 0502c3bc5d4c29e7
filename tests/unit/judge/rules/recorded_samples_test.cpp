// Recorded samples, told again: what is found in them is what stands beside them. With
// MAPSCOPE_WRITE_EXPECTED=1 it is written anew, to be read before it is committed.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "judge/rules/rule_engine.h"
#include "support/file_content.h"
#include "unit/judge/rules/rule_fixture.h"
#include "wire/samples_json.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

const fs::path kSamples = MAPSCOPE_SAMPLES_DIR;

std::vector<RuleInput> inputs_of(const fs::path &path) {
  auto inputs = samples_from_text(testing::file_text(path));
  EXPECT_TRUE(inputs) << path << ": " << inputs.error().message();
  return inputs ? std::move(*inputs) : std::vector<RuleInput>{};
}

std::uint64_t time_of(const RuleInput &input) {
  return std::visit([](const auto &one) { return one.time_ns; }, input);
}

// As the daemon does: each second is told, and a scan with it.
std::vector<Finding> replay(RuleEngine &engine, const std::vector<RuleInput> &inputs) {
  std::vector<Finding> all;
  const auto keep = [&all](std::vector<Finding> findings) {
    std::ranges::move(findings, std::back_inserter(all));
  };
  std::uint64_t second = inputs.empty() ? 0 : time_of(inputs.front()) / kSecond;
  for (const RuleInput &input : inputs) {
    for (; second < time_of(input) / kSecond; ++second)
      keep(engine.tick(second * kSecond, true));
    keep(engine.take(input));
  }
  for (std::uint64_t rest = 0; rest < 300; ++rest)
    keep(engine.tick((second + rest) * kSecond, true));
  return all;
}

// Every kind, with thresholds as they are where nothing is said.
std::vector<Rule> one_of_each_kind() {
  const RuleCondition growth = MapGrowthRule{.bytes_per_minute = 10 * kMiB};
  std::vector<Rule> rules;
  for (const RuleCondition &condition : std::to_array<RuleCondition>(
           {MapWasteRule{}, MapFillRule{}, MapEntriesRule{}, MapBytesRule{}, growth,
            MapEmptiedRule{}, MapRehashStormRule{}, MapChurnRule{}, MapShareRule{},
            HeapGrowthRule{}, AllocsMinusFreesRule{}, MemoryLimitRule{}, MapMisuseRule{},
            FileIoRule{}, BpfFillRule{}, BpfLookupsRule{}, BpfUnboundedRule{},
            BpfInsertFailuresRule{}}))
    rules.push_back(rule_of(condition, Seconds{120}, Seconds{60}));
  return rules;
}

std::string line_of(const Finding &finding) {
  nlohmann::ordered_json json;
  json["second"] = finding.time_ns / kSecond;
  json["rule"] = finding.rule;
  json["is_firing"] = finding.is_firing;
  json["fingerprint"] = finding.fingerprint;
  json["since_second"] = finding.since_ns / kSecond;
  json["type"] = finding.type;
  json["owner"] = finding.owner;
  json["site"] = finding.site;
  json["maps"] = finding.maps;
  json["summary"] = finding.summary;
  json["cause"] = finding.cause;
  json["fix"] = finding.fix;
  json["resolution"] = finding.resolution;
  json["numbers"] = finding.numbers;
  return json.dump();
}

std::string lines_of(const std::vector<Finding> &findings) {
  std::string text;
  for (const Finding &finding : findings)
    text += line_of(finding) + "\n";
  return text;
}

TEST(RecordedSamplesTest, EachKindSpeaksOnceAndEnds) {
  const bool writes = std::getenv("MAPSCOPE_WRITE_EXPECTED") != nullptr;
  for (std::string_view kind : kRuleKindNames) {
    const fs::path path = kSamples / (std::string{kind} + ".jsonl");
    const fs::path expected = kSamples / (std::string{kind} + ".expected.jsonl");
    RuleEngine engine{one_of_each_kind(), {.boot_id = "recorded"}};
    const auto found = replay(engine, inputs_of(path));
    if (writes)
      std::ofstream{expected} << lines_of(found);
    EXPECT_EQ(lines_of(found), testing::file_text(expected));
    ASSERT_EQ(found.size(), 2u) << kind << "\n" << lines_of(found);
    EXPECT_EQ(found[0].kind, kind);
    EXPECT_TRUE(found[0].is_firing);
    EXPECT_EQ(found[1].kind, kind);
    EXPECT_FALSE(found[1].is_firing);
    EXPECT_EQ(found[0].fingerprint, found[1].fingerprint);
    EXPECT_LE(found[0].summary.size(), 220u) << found[0].summary;
    EXPECT_FALSE(found[0].cause.empty() || found[0].fix.empty()) << kind;
    EXPECT_FALSE(found[1].resolution.empty());
    EXPECT_TRUE(found[0].numbers.contains("value"));
  }
}

TEST(RecordedSamplesTest, NothingIsSaidOfAnHourInWhichNothingIsWrong) {
  for (std::string_view name : {"quiet.jsonl", "prometheus.jsonl", "bpf-quiet.jsonl"})
    for (const auto &rules : {default_rules(), one_of_each_kind()}) {
      RuleEngine engine{rules, {.boot_id = "recorded"}};
      const auto inputs = inputs_of(kSamples / name);
      EXPECT_GT(inputs.size(), 50u) << name;
      EXPECT_EQ(lines_of(replay(engine, inputs)), "") << name;
      EXPECT_EQ(engine.figures().inputs_of_others, 0u);
    }
}

TEST(RecordedSamplesTest, TellsTheSameEachTime) {
  const auto inputs = inputs_of(kSamples / "map-growth.jsonl");
  RuleEngine first{one_of_each_kind(), {}}, second{one_of_each_kind(), {}};
  EXPECT_EQ(lines_of(replay(first, inputs)), lines_of(replay(second, inputs)));
}

// A restart at any moment tells nothing twice and forgets nothing.
TEST(RecordedSamplesTest, ARestartAnywhereTellsNothingTwice) {
  for (std::string_view kind : kRuleKindNames) {
    const auto inputs = inputs_of(kSamples / (std::string{kind} + ".jsonl"));
    for (std::size_t at = 1; at < inputs.size(); at += 3) {
      RuleEngine before{one_of_each_kind(), {.boot_id = "recorded"}};
      auto found =
          replay(before, {inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(at)});
      RuleEngine after{one_of_each_kind(), {.boot_id = "recorded"}};
      if (found.size() == 1)
        after.restore(found);
      after.take(inputs.front());
      const auto rest =
          replay(after, {inputs.begin() + static_cast<std::ptrdiff_t>(at), inputs.end()});
      std::ranges::copy(rest, std::back_inserter(found));
      EXPECT_TRUE(found.empty() ||
                  (found.size() == 2 && found[0].is_firing && !found[1].is_firing &&
                   found[0].fingerprint == found[1].fingerprint))
          << kind << ", restarted at " << at << "\n"
          << lines_of(found);
    }
  }
}

} // namespace
} // namespace mapscope
