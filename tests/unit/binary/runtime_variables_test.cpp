// Variables of the runtime in real programs: the symbols, the code, and what nm says.
#include "binary/runtime_variables.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/read_facts.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

struct Build {
  std::string version, mode;
};

class RuntimeVariablesTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    auto program = workload(version, mode);
    if (!program)
      GTEST_SKIP() << "tools/build-workloads has not built growth with Go " << version << " as "
                   << mode;
    path_ = *program;
    content_ = testing::file_content<std::vector<char>>(path_);
  }

  // The program as it is in `content_`. Lives as long as that.
  GoBinary open() {
    auto opened = GoBinary::open(std::as_bytes(std::span{content_}), path_);
    EXPECT_TRUE(opened) << opened.error().message();
    return *std::move(opened);
  }

  RuntimeVariables true_variables() const {
    const auto symbols = symbols_of(path_);
    const std::string keys = symbols.contains("runtime.aeskeysched")
                                 ? "runtime.aeskeysched"
                                 : "internal/runtime/maps.aeskeysched";
    return {.heap = {symbols.at("runtime.mheap_")},
            .gc_controller = {symbols.at("runtime.gcController")},
            .statistics = {symbols.at("runtime.memstats")},
            .hash_keys = {symbols.at(keys)},
            .memory_profile_rate = {symbols.at("runtime.MemProfileRate")},
            .memory_buckets = {symbols.at("runtime.mbuckets")}};
  }

  std::string path_;
  std::vector<char> content_;
};

void expect_same(const RuntimeVariables &found, const RuntimeVariables &truth) {
  EXPECT_EQ(found.heap.value, truth.heap.value);
  EXPECT_EQ(found.gc_controller.value, truth.gc_controller.value);
  EXPECT_EQ(found.statistics.value, truth.statistics.value);
  EXPECT_EQ(found.hash_keys.value, truth.hash_keys.value);
  EXPECT_EQ(found.memory_profile_rate.value, truth.memory_profile_rate.value);
  EXPECT_EQ(found.memory_buckets.value, truth.memory_buckets.value);
}

TEST_P(RuntimeVariablesTest, SymbolsAndCodeTellTheSame) {
  const GoBinary binary = open();
  const auto facts = read_facts(binary);
  ASSERT_TRUE(facts) << facts.error().message();
  const RuntimeVariables in_code = find_runtime_variables_in_code(binary, *facts);
  if (GetParam().mode == "stripped") { // the code is all there is; a process shows that it is right
    expect_same(facts->variables, in_code);
    for (ElfAddress variable :
         {in_code.heap, in_code.gc_controller, in_code.statistics, in_code.hash_keys,
          in_code.memory_profile_rate, in_code.memory_buckets})
      EXPECT_NE(variable.value, 0u);
    return;
  }
  EXPECT_TRUE(facts->warnings.empty());
  expect_same(facts->variables, true_variables());
  expect_same(in_code, true_variables());
}

TEST_P(RuntimeVariablesTest, LieInZeroedDataWithSectionHeadersAndWithout) {
  GoBinary binary = open();
  const auto facts = read_facts(binary);
  ASSERT_TRUE(facts) << facts.error().message();
  // Fields of the ELF header: e_shoff, e_shnum and e_shstrndx.
  std::fill_n(content_.begin() + 0x28, 8, '\0');
  std::fill_n(content_.begin() + 0x3c, 4, '\0');
  const auto without = ElfFile::parse(std::as_bytes(std::span{content_}));
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_TRUE(without->sections().empty());
  for (const auto &ranges : {facts->zeroed_data, find_zeroed_data(*without)})
    for (ElfAddress variable : {facts->variables.heap, facts->variables.gc_controller,
                                facts->variables.statistics, facts->variables.hash_keys})
      EXPECT_TRUE(std::ranges::any_of(
          ranges, [&](const ElfRange &range) { return range.contains(variable); }))
          << std::hex << variable.value;
}

TEST_P(RuntimeVariablesTest, WhatLiesElsewhereIsNotTakenForOne) {
  const GoBinary binary = open();
  auto facts = read_facts(binary);
  ASSERT_TRUE(facts) << facts.error().message();
  facts->zeroed_data.clear();
  RuntimeVariables found = find_runtime_variables_in_code(binary, *facts);
  found.memory_profile_rate = {}; // has a value when the program starts
  expect_same(found, {});
}

TEST_P(RuntimeVariablesTest, CallsThatDisagreeTellNothing) {
  const GoBinary binary = open();
  const auto facts = read_facts(binary);
  ASSERT_TRUE(facts) << facts.error().message();
  const ElfAddress heap = find_runtime_variables_in_code(binary, *facts).heap;
  // mallocinit takes the address of mheap_ and calls a method of it. Here it takes another.
  const ElfRange function = binary.find_function("runtime.mallocinit")->range;
  const std::size_t offset = binary.file_offset(function.start)->value;
  std::size_t changed_count = 0;
  for (std::size_t at = offset; at < offset + function.size_bytes - 12; ++at) {
    std::int32_t distance;
    std::memcpy(&distance, &content_[at + 3], sizeof(distance));
    const std::uint64_t next = function.start.value + at - offset + 7;
    if (std::string_view{&content_[at], 3} != "\x48\x8d\x05" || content_[at + 7] != '\xe8' ||
        next + static_cast<std::uint64_t>(distance) != heap.value)
      continue;
    distance += 8;
    std::memcpy(&content_[at + 3], &distance, sizeof(distance));
    ++changed_count;
  }
  ASSERT_GE(changed_count, 1u);
  const RuntimeVariables found = find_runtime_variables_in_code(binary, *facts);
  EXPECT_EQ(found.heap.value, 0u);
  EXPECT_EQ(found.gc_controller, facts->variables.gc_controller);
}

TEST(Arm64VariablesTest, SymbolsAloneTellOfThem) {
  const auto path = workload_variant("growth-arm64", "1.27.4", "GOARCH=arm64", "-buildvcs=false");
  if (!path)
    GTEST_SKIP() << "Go 1.27.4 can't be had";
  const auto content = testing::file_bytes(*path);
  const auto binary = GoBinary::open(content, *path);
  ASSERT_TRUE(binary) << binary.error().message();
  const auto facts = read_facts(*binary);
  ASSERT_TRUE(facts) << facts.error().message();
  const auto symbols = symbols_of(*path);
  EXPECT_EQ(facts->variables.heap.value, symbols.at("runtime.mheap_"));
  EXPECT_EQ(facts->variables.gc_controller.value, symbols.at("runtime.gcController"));
  EXPECT_EQ(facts->variables.statistics.value, symbols.at("runtime.memstats"));
  // mapscope does not know the hash of that machine, so its keys would prove nothing.
  EXPECT_EQ(facts->variables.hash_keys.value, 0u);
  EXPECT_EQ(facts->variables.memory_profile_rate.value, symbols.at("runtime.MemProfileRate"));
  EXPECT_EQ(facts->variables.memory_buckets.value, symbols.at("runtime.mbuckets"));
}

TEST(PluginsTest, AProgramThatCanLoadThemIsSeenInPart) {
  const auto path = built({"tests/fixtures/plugin_host", "main.go", "plugin_host"}, "1.27.4",
                          "CGO_ENABLED=1", "-buildvcs=false");
  if (!path)
    GTEST_SKIP() << "Go 1.27.4 can't be had, or no C compiler for it";
  const auto content = testing::file_bytes(*path);
  const auto binary = GoBinary::open(content, *path);
  ASSERT_TRUE(binary) << binary.error().message();
  const auto facts = read_facts(*binary);
  ASSERT_TRUE(facts) << facts.error().message();
  EXPECT_TRUE(std::ranges::any_of(facts->warnings, [](const std::string &warning) {
    return warning.starts_with("it can load plugins");
  }));
  EXPECT_NE(facts->variables.heap.value, 0u);
}

std::vector<Build> all_builds() {
  std::vector<Build> builds;
  for (const std::string &version : kGoReleases)
    for (const char *mode : {"plain", "stripped", "pie", "cgo"})
      builds.push_back({version, mode});
  return builds;
}

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Programs, RuntimeVariablesTest, ::testing::ValuesIn(all_builds()),
                         name_of);

} // namespace
} // namespace mapscope
