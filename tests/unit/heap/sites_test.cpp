// Allocation sites, against a program that says which of its lines made each map and made it grow,
// and that prints its own memory profile.
#include "heap/sites/map_sites.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/go_binary.h"
#include "heap/census.h"
#include "heap/heap_layout.h"
#include "heap/sites/sampled_parts.h"
#include "support/census_program.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

// "created:41" for each line that allocated a part of a map, by the map.
using Lines = std::map<std::uint64_t, std::set<std::string>>;

class FileSymbolizer : public Symbolizer {
public:
  explicit FileSymbolizer(const std::string &path)
      : path_(path), bytes_(testing::file_bytes(path)) {}
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    return TRY(GoBinary::open(bytes_, path_)).symbolize(addresses);
  }

private:
  std::string path_;
  std::vector<std::byte> bytes_;
};

struct Found {
  AllocationProfile profile;
  std::vector<MapPartSample> parts;
  MapSites sites;
  std::set<std::uint64_t> maps; // of the census
};

class SitesTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  std::optional<std::string> build(const std::string &fixture) const {
    const auto &[version, mode] = GetParam();
    return built({"tests/fixtures/" + fixture, ".", fixture + "-" + version + "-" + mode}, version,
                 "", mode == "stripped" ? "-trimpath '-ldflags=-s -w'" : "-trimpath");
  }
  void SetUp() override {
    path_ = build("map_sites");
    if (!path_)
      GTEST_SKIP() << "Go " << std::get<0>(GetParam()) << " can't be had";
  }

  // The programs are no PIEs, so addresses in them are those in their files.
  static Result<Found> find(CensusProgram &program, const std::string &path) {
    const HeapLayout layout = TRY(HeapLayout::from(program.facts));
    const HeapRoot root = TRY(find_heap(program.memory(), program.anchors, layout));
    const SpanTable spans = TRY(SpanTable::read(program.memory(), root, layout));
    const Census census =
        TRY(take_census(program.memory(), program.anchors, program.facts, {.types = false}));
    Found found;
    found.profile =
        TRY(read_allocation_profile(program.memory(), program.facts, {}, layout, spans));
    found.parts = TRY(find_sampled_parts(program.memory(), program.facts, layout, spans,
                                         census.maps, found.profile));
    FileSymbolizer symbolizer(path);
    auto pattern_of = [](std::uint64_t) { return SitePattern{1, 1}; };
    found.sites =
        TRY(MapSites::make(found.profile, found.parts, pattern_of, program.facts, {}, symbolizer));
    for (std::size_t i = 0; i < census.maps.size(); ++i)
      found.maps.insert(census.maps.brief(i).address);
    return found;
  }

  static std::string text_of(const SiteShare &share) {
    return fmt::format("{}:{}", share.kind == SiteKind::created ? "created" : "grew",
                       share.frame.line);
  }

  static Lines truth_of(const CensusProgram &program) {
    Lines lines;
    for (const auto &[address, text] : program.noise) {
      std::istringstream words(text);
      std::string word;
      while (!text.starts_with("record") && words >> word)
        lines[address].insert(word);
    }
    return lines;
  }

  const std::string &path() const { return *path_; }

private:
  std::optional<std::string> path_;
};

TEST_P(SitesTest, TellsEachLineWhereEachObjectIsSampled) {
  CensusProgram program(path(), {"1"});
  ASSERT_TRUE(program.is_ready());
  auto found = find(program, path());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->profile.counts.is_rate_known);
  EXPECT_EQ(found->profile.counts.rate_bytes, 1u);
  const Lines truth = truth_of(program);
  EXPECT_EQ(truth.size(), 100u);
  for (const auto &[map, lines] : truth) {
    const MapSite site = found->sites.of(map, {});
    EXPECT_FALSE(site.is_of_pattern);
    std::set<std::string> told;
    for (const SiteShare &share : site.shares) {
      told.insert(text_of(share));
      EXPECT_TRUE(share.frame.function.starts_with("main.")) << share.frame.function;
      EXPECT_TRUE(share.frame.file.ends_with("main.go")) << share.frame.file;
    }
    EXPECT_EQ(told, lines) << std::hex << map;
  }
}

TEST_P(SitesTest, CountsWhatTheProgramItselfCounts) {
  CensusProgram program(path(), {"1"});
  ASSERT_TRUE(program.is_ready());
  auto found = find(program, path());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->profile.has_all_buckets);
  std::map<std::string, std::string> records;
  for (const AllocationBucket &bucket : found->profile.buckets) {
    std::string stack;
    for (std::uint64_t pc : bucket.stack)
      stack += fmt::format("{}{:x}", stack.empty() ? "" : ",", pc);
    records[fmt::format("size={} {}", bucket.object_bytes, stack)] =
        fmt::format("allocs={} frees={}", bucket.allocs, bucket.frees);
  }
  std::size_t count = 0;
  for (const auto &[number, text] : program.noise) {
    if (!text.starts_with("record"))
      continue;
    std::istringstream words(text);
    std::string record, size, allocs, frees, stack;
    words >> record >> size >> allocs >> frees >> stack;
    EXPECT_EQ(records[size + " " + stack.substr(6)], allocs + " " + frees) << text;
    ++count;
  }
  EXPECT_GE(count, 15u);
  std::uint64_t in_use = 0;
  std::size_t later = 0;
  for (const SiteUse &use : found->sites.uses()) {
    if (use.frame.function == "main.later") {
      EXPECT_EQ(use.allocated_objects, 3u);
      EXPECT_EQ(use.samples, 3u);
      ++later;
      continue;
    }
    in_use += use.in_use_bytes;
    EXPECT_GE(use.allocated_bytes, use.in_use_bytes);
    EXPECT_FALSE(use.stack.empty());
    EXPECT_TRUE(std::ranges::find(use.stack, use.frame) != use.stack.end());
  }
  EXPECT_EQ(in_use, program.bytes);
  EXPECT_GE(later, 2u); // a header and an array, at least
}

TEST_P(SitesTest, TellsNoWrongLineAtTheRateThatProgramsHave) {
  CensusProgram program(path(), {"524288"});
  ASSERT_TRUE(program.is_ready());
  auto found = find(program, path());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->profile.counts.rate_bytes, 524288u);
  Lines truth = truth_of(program);
  std::size_t sampled = 0;
  for (std::uint64_t map : found->maps) {
    const MapSite site = found->sites.of(map, {});
    for (const SiteShare &share : site.shares)
      EXPECT_TRUE(share.frame.function == "main.later" || truth[map].contains(text_of(share)))
          << text_of(share);
    sampled += site.shares.empty() ? 0 : 1;
  }
  EXPECT_GE(sampled, 1u); // 10 of 100 most of the time
  EXPECT_EQ(sampled, found->sites.sampled_map_count());
  // Others have the lines of maps alike, all of them, and say so.
  const MapSite alike = found->sites.of(8, {1, 1});
  EXPECT_TRUE(alike.is_of_pattern);
  EXPECT_EQ(alike.samples(), found->parts.size());
  EXPECT_TRUE(found->sites.of(8, {1, 2}).shares.empty());
  EXPECT_TRUE(found->sites.of(8, {0, 0}).shares.empty());
  // As pprof estimates: a sample of a small object stands for many.
  std::uint64_t in_use = 0;
  for (const SiteUse &use : found->sites.uses())
    if (use.frame.function != "main.later")
      in_use += use.in_use_bytes;
  EXPECT_NEAR(static_cast<double>(in_use), static_cast<double>(program.bytes),
              0.0001 * static_cast<double>(program.bytes));
}

TEST_P(SitesTest, TellsNothingWhereTheProfileIsOff) {
  auto without = build("stack_roots"); // the linker saw that it has no use for one
  ASSERT_TRUE(without);
  for (bool is_linked : {true, false}) {
    CensusProgram program(is_linked ? path() : *without,
                          is_linked ? std::vector<std::string>{"0"} : std::vector<std::string>{});
    ASSERT_TRUE(program.is_ready());
    auto found = find(program, is_linked ? path() : *without);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_TRUE(found->profile.counts.was_read);
    EXPECT_TRUE(found->profile.counts.is_rate_known);
    EXPECT_EQ(found->profile.counts.rate_bytes, 0u);
    EXPECT_TRUE(found->profile.objects.empty());
    EXPECT_TRUE(found->sites.uses().empty());
    for (std::uint64_t map : found->maps)
      EXPECT_TRUE(found->sites.of(map, {1, 1}).shares.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, SitesTest,
                         ::testing::Combine(::testing::ValuesIn(kGoReleases),
                                            ::testing::Values("plain", "stripped")),
                         [](const auto &parameter) {
                           std::string name = "Go" + std::get<0>(parameter.param) + "_" +
                                              std::get<1>(parameter.param);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
