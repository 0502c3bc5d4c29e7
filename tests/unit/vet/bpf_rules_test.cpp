// Each planted defect is found by its rule, and nothing in what is sound.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "binary/bpf_object.h"
#include "support/file_content.h"
#include "unit/vet/object_files.h"
#include "vet/bpf_rules.h"
#include "vet/vet_rules.h"
#include "vet/vet_text.h"

namespace mapscope {
namespace {

std::vector<VetFinding> findings_of(const std::string &fixture, const VetOptions &options = {}) {
  const auto bytes = fixture_object(fixture);
  const auto facts = read_bpf_object(bytes, fixture);
  EXPECT_TRUE(facts) << facts.error().message();
  return facts ? vet_bpf_object(*facts, options) : std::vector<VetFinding>{};
}

struct ExpectedFinding {
  std::string map, rule;
  VetLevel level;
  std::string words; // in the message
};

// One a map, in the order of the fixture.
const ExpectedFinding kDefects[] = {
    {"no_limit", "bpf-no-limit", VetLevel::warning, "has no max_entries"},
    {"no_limit_zero", "bpf-no-limit", VetLevel::warning, "max_entries is 0"},
    {"no_limit_ring", "bpf-no-limit", VetLevel::note, "its loader"},
    {"huge", "bpf-huge", VetLevel::error, "2.24 GiB of kernel memory at load (limit 1.00 GiB)"},
    {"huge_when_full", "bpf-huge", VetLevel::warning, "496 MiB of kernel memory when full"},
    {"percpu", "bpf-percpu", VetLevel::error, "for each of 128 CPUs take 1.22 GiB"},
    {"prealloc_sparse", "bpf-prealloc", VetLevel::warning, "tagged as sparse"},
    {"prealloc_key_space", "bpf-prealloc", VetLevel::warning, "a key of 1 byte has only 256"},
    {"prealloc_large", "bpf-prealloc", VetLevel::note, "1,000,000 entries, used or not"},
    {"lru_evicts", "bpf-lru-evicts", VetLevel::note, "its values count (rx_bytes)"},
    {"lru_evicts_by_cpu", "bpf-lru-evicts", VetLevel::note, "one of 128 CPUs has 32"},
    {"no_btf", "bpf-no-btf", VetLevel::warning, "key and value only the size"},
    {"bad_type", "bpf-bad-type", VetLevel::error, "has no type"},
    {"bad_type_unknown", "bpf-bad-type", VetLevel::note, "type 77"},
    {"bad_flags", "bpf-bad-flags", VetLevel::error, "refuses for lru_hash"},
    {"bad_flags_trie", "bpf-bad-flags", VetLevel::error, "without BPF_F_NO_PREALLOC"},
    {"bad_flags_both", "bpf-bad-flags", VetLevel::error, "both BPF_F_RDONLY_PROG"},
    {"wrong_size", "bpf-wrong-size", VetLevel::error, "a key of 8 bytes"},
    {"wrong_size_ring", "bpf-wrong-size", VetLevel::warning, "5,000 bytes"},
    {"wrong_size_ring_value", "bpf-wrong-size", VetLevel::note, "values of type struct flow"},
    {"wrong_size_percpu", "bpf-wrong-size", VetLevel::error, "64.0 KiB for each CPU"},
    {"wrong_size_limit", "bpf-wrong-size", VetLevel::error, "no sk_storage with a limit"},
    {"huge_inner.inner", "bpf-huge", VetLevel::warning, "7.45 GiB together"},
    {".bss", "bpf-huge", VetLevel::warning, "global variables take 300 MiB"},
};

TEST(BpfRulesTest, FindsEachDefectAndNothingElse) {
  std::multimap<std::string, VetFinding> by_map;
  for (const VetFinding &finding : findings_of("defects"))
    by_map.emplace(finding.subject, finding);
  for (const ExpectedFinding &expected : kDefects) {
    ASSERT_EQ(by_map.count(expected.map), 1u) << expected.map;
    const VetFinding &finding = by_map.find(expected.map)->second;
    EXPECT_EQ(finding.rule, expected.rule) << expected.map;
    EXPECT_EQ(finding.level, expected.level) << expected.map;
    EXPECT_NE(finding.message.find(expected.words), std::string::npos) << finding.message;
    EXPECT_NE(finding.message.find(expected.map), std::string::npos) << finding.message;
    EXPECT_EQ(finding.file, "defects");
  }
  EXPECT_EQ(by_map.size(), std::size(kDefects));
}

TEST(BpfRulesTest, EveryRuleIsInTheCatalogue) {
  std::set<std::string> rules;
  for (const VetFinding &finding : findings_of("defects"))
    rules.insert(finding.rule);
  for (const std::string &rule : rules)
    EXPECT_NE(find_vet_rule(rule), nullptr) << rule;
  for (const VetRule &rule : vet_rules())
    EXPECT_EQ(rules.contains(std::string{rule.id}), rule.id.starts_with("bpf-")) << rule.id;
}

TEST(BpfRulesTest, FindsNothingInWhatIsSound) {
  const auto findings = findings_of("sound");
  EXPECT_TRUE(findings.empty()) << vet_text(findings, false);
}

TEST(BpfRulesTest, FindsNothingInOwnPrograms) {
  std::size_t maps = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator{OWN_OBJECTS}) {
    if (entry.path().extension() != ".o")
      continue;
    const auto facts = read_bpf_object(testing::file_bytes(entry.path()), entry.path());
    ASSERT_TRUE(facts) << facts.error().message();
    maps += facts->maps.size();
    const auto findings = vet_bpf_object(*facts, {});
    EXPECT_TRUE(findings.empty()) << vet_text(findings, false);
  }
  EXPECT_GT(maps, 10u);
}

TEST(BpfRulesTest, OlderDefinitionsAndMissingBtfAreTold) {
  const auto legacy = findings_of("legacy");
  EXPECT_EQ(std::ranges::count(legacy, "bpf-no-btf", &VetFinding::rule), 2);
  EXPECT_EQ(std::ranges::count(legacy, "bpf-wrong-size", &VetFinding::rule), 1);
  const auto without = findings_of("without_btf");
  EXPECT_GT(without.size(), 10u);
  EXPECT_TRUE(std::ranges::all_of(without, [](const VetFinding &finding) {
    return finding.rule == "bpf-no-btf" && finding.level == VetLevel::error;
  }));
}

TEST(BpfRulesTest, OptionsMoveTheLimits) {
  auto rule_of = [](const std::string &map, const VetOptions &options) {
    for (const VetFinding &finding : findings_of("defects", options))
      if (finding.subject == map)
        return finding.rule;
    return std::string{};
  };
  EXPECT_EQ(rule_of("percpu", {.cpus = 2}), "");
  EXPECT_EQ(rule_of("huge", {.max_bytes = 1ULL << 40}), "");
  EXPECT_EQ(rule_of("prealloc_large", {.max_bytes = 64 << 20}), "bpf-huge");
  EXPECT_EQ(rule_of("huge", {.disabled = {"bpf-huge"}}), "");
}

TEST(BpfRulesTest, TextIsAsCompilersWriteIt) {
  VetFinding finding{.rule = "bpf-huge",
                     .level = VetLevel::error,
                     .file = "a.bpf.o",
                     .message = "map \x1b[31mx: too large",
                     .fix = "Make it smaller."};
  EXPECT_EQ(vet_text({&finding, 1}, false),
            "a.bpf.o:0:0: error: map ?[31mx: too large [bpf-huge]\n    Make it smaller.\n");
  finding.line = 12;
  finding.column = 3;
  finding.fix.clear();
  EXPECT_TRUE(vet_text({&finding, 1}, false).starts_with("a.bpf.o:12:3: error: "));
}

} // namespace
} // namespace mapscope
