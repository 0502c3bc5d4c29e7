// What is believed of a walk: only what still holds, and what nothing contradicts.
#include "heap/owners/owners.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "heap/owners/owner_reuse.h"
#include "heap/owners/owner_roots.h"
#include "heap/owners/owner_validation.h"
#include "pipeline/map_survey.h"
#include "support/census_program.h"
#include "support/synthetic_types.h"
#include "unit/heap/fake_heap.h"

namespace mapscope {
namespace {

using testing::CensusProgram;
using testing::FakeHeap;
using testing::FlatMemory;
using testing::SyntheticTypes;

TEST(ClaimsOfMaps, HoldWhileTheHeaderHasItsSeedAndTheWordItsAddress) {
  FakeHeap heap;
  const std::uint64_t headers = heap.add_span(48, true), words = heap.add_span(64, true);
  constexpr std::uint64_t kSeed = 0x123456789abcdef0;
  std::vector<MapClaim> claims;
  for (std::uint64_t i = 0; i < 4; ++i) {
    heap.put_header(headers + 48 * i, 0, 0, 0);
    heap.memory.put(words + 64 * (3 - i), headers + 48 * i);
    claims.push_back({.address = headers + 48 * i, .seed = kSeed, .word = words + 64 * (3 - i)});
  }
  claims.push_back({.address = headers + 48, .seed = kSeed}); // no word leads to it
  claims.push_back({.address = 0x1000, .seed = kSeed, .word = 0x2000});
  heap.memory.put(headers + 48 * 2 + heap.layout.swiss.seed, kSeed + 1);
  heap.memory.put(words + 64 * (3 - 3), headers);
  ASSERT_TRUE(check_claims(heap.memory, heap.layout, claims));
  std::vector<std::pair<bool, bool>> holds;
  for (const MapClaim &claim : claims)
    holds.emplace_back(claim.is_same_map, claim.does_word_hold);
  EXPECT_EQ(holds, (std::vector<std::pair<bool, bool>>{{true, true},
                                                       {true, true},
                                                       {false, true},
                                                       {true, false},
                                                       {true, false},
                                                       {false, false}}));
}

// Maps at 0x100, 0x200, ... with words at 0x1000, 0x1100, ... that hold what `now` says.
std::vector<MapClaim> claims_that_hold(const std::vector<std::uint64_t> &now) {
  std::vector<MapClaim> claims;
  for (std::uint64_t i = 0; i < now.size(); ++i)
    claims.push_back({.address = 0x100 * (i + 1),
                      .word = 0x1000 + 0x100 * i,
                      .does_word_hold = now[i] == 0x100 * (i + 1),
                      .now = now[i]});
  return claims;
}

std::vector<MapWitness> witnesses_of(const std::vector<MapClaim> &claims, std::uint64_t type) {
  std::vector<MapWitness> witnesses;
  for (const MapClaim &claim : claims)
    witnesses.push_back({.word = claim.word, .type = type});
  return witnesses;
}

TEST(ClaimsOfMaps, WordsThatChangedPlacesHoldForEachOther) {
  auto claims = claims_that_hold({0x200, 0x100, 0x300});
  const auto owner = take_exchanged_words(claims, witnesses_of(claims, 7));
  EXPECT_EQ(owner, (std::vector<std::uint32_t>{1, 0, 2}));
  EXPECT_EQ(claims[0].word, 0x1100u);
  EXPECT_EQ(claims[1].word, 0x1000u);
  for (const MapClaim &claim : claims)
    EXPECT_TRUE(claim.does_word_hold);
}

TEST(ClaimsOfMaps, AWordThatTookAnotherPlaceHoldsForOneMapOnly) {
  // The first word has the second map now, whose own word has it still; the third has nobody's.
  auto claims = claims_that_hold({0x200, 0x200, 0x999});
  const auto owner = take_exchanged_words(claims, witnesses_of(claims, 7));
  EXPECT_EQ(owner, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_FALSE(claims[0].does_word_hold);
  EXPECT_TRUE(claims[1].does_word_hold);
  EXPECT_FALSE(claims[2].does_word_hold);
}

TEST(ClaimsOfMaps, AWordOfAnotherTypeHoldsForNobody) {
  auto claims = claims_that_hold({0x200, 0x100});
  auto witnesses = witnesses_of(claims, 7);
  witnesses[1].type = 8;
  EXPECT_EQ(take_exchanged_words(claims, witnesses), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(take_exchanged_words(claims, witnesses_of(claims, 0)),
            (std::vector<std::uint32_t>{0, 1}));
  EXPECT_FALSE(claims[0].does_word_hold || claims[1].does_word_hold);
}

TEST(ClaimsOfMaps, KnowWhoseContentsAnotherHeaderHasToo) {
  FakeHeap heap;
  const std::uint64_t headers = heap.add_span(48, true);
  std::vector<MapClaim> claims;
  for (std::uint64_t i = 0; i < 3; ++i) {
    heap.put_header(headers + 48 * i, 1, 0x5000 + i, 0);
    claims.push_back({.address = headers + 48 * i});
  }
  const HeaderCopy copy{{headers + 48 * 9}, {0x5001}};
  ASSERT_TRUE(check_copies(heap.memory, heap.layout, {&copy, 1}, claims));
  EXPECT_FALSE(claims[0].has_copy);
  EXPECT_TRUE(claims[1].has_copy);
  EXPECT_FALSE(claims[2].has_copy);
}

class SaidTypeTest : public ::testing::Test {
protected:
  SaidTypeTest() {
    FlatMemory memory{SyntheticTypes::kStart, synthetic.bytes()};
    auto types = GoTypes::read(memory, memory.range(),
                               testing::facts_with_maps(MapImplementation::swiss, 25));
    EXPECT_TRUE(types);
    index.emplace(*std::move(types), HeapLayout{}, std::nullopt);
  }
  std::uint32_t number(std::uint64_t descriptor) { return *index->number_of(descriptor); }

  using Others = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
  SaidType said(std::uint32_t set, std::uint64_t first, const Others &others = {}) {
    return said_type(*index, set, first, others);
  }

  SyntheticTypes synthetic;
  std::uint64_t int64 = synthetic.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
  std::uint64_t uint64 = synthetic.add({.kind = GoKind::uint64, .size_bytes = 8, .name = "uint64"});
  std::uint64_t plain = synthetic.add_map("map[int64]int64", int64, int64, 16, 8);
  std::uint64_t named = synthetic.add_map("main.Index", int64, int64, 16, 8);
  std::uint64_t other = synthetic.add_map("map[int64]uint64", int64, uint64, 16, 8);
  std::uint64_t shape = synthetic.add_map("map[go.shape.int64]int64", int64, int64, 16, 8);
  std::optional<TypeIndex> index;
};

TEST_F(SaidTypeTest, OneWordIsBelieved) {
  const SaidType type = said(kUnknownTypes, plain);
  EXPECT_EQ(type.outcome, SaidType::Outcome::exact);
  EXPECT_EQ(type.type, number(plain));
}

TEST_F(SaidTypeTest, OfTheNamesOfOneTypeTheShortestPathsIsTaken) {
  EXPECT_TRUE(is_alias(*index, number(plain), number(named)));
  EXPECT_FALSE(is_alias(*index, number(plain), number(other)));
  const SaidType type = said(index->all(), named, {{0, plain}});
  EXPECT_EQ(type.outcome, SaidType::Outcome::exact);
  EXPECT_EQ(type.type, number(named));
  // An earlier witness may have left the other name alone.
  EXPECT_EQ(said(index->only(index->all(), number(plain)), named).type, number(named));
}

TEST_F(SaidTypeTest, WordsThatDisagreeSayNothing) {
  EXPECT_EQ(said(index->all(), plain, {{0, other}}).outcome, SaidType::Outcome::disagreement);
}

TEST_F(SaidTypeTest, WhatTheContentsRuleOutIsNotBelieved) {
  const std::uint32_t set = index->only(index->all(), number(other));
  EXPECT_EQ(said(set, plain).outcome, SaidType::Outcome::disagreement);
  EXPECT_EQ(said(set, other).outcome, SaidType::Outcome::exact);
}

TEST_F(SaidTypeTest, AShapeNeverBeatsARealType) {
  EXPECT_EQ(said(index->all(), shape).outcome, SaidType::Outcome::none);
  const SaidType type = said(index->all(), shape, {{0, plain}});
  EXPECT_EQ(type.outcome, SaidType::Outcome::exact);
  EXPECT_EQ(type.type, number(plain));
}

TEST_F(SaidTypeTest, ATypeThatTheProgramDoesNotHaveIsNone) {
  EXPECT_EQ(said(index->all(), 0x12345678).outcome, SaidType::Outcome::none);
  EXPECT_EQ(said(index->all(), 0).outcome, SaidType::Outcome::none);
}

// A census of maps whose words lie in `memory`, and what a walk found of them.
class ReuseTest : public SaidTypeTest {
protected:
  static constexpr std::uint64_t kMaps = 100, kWords = 0x800000;

  ReuseTest() {
    memory.add(kWords, 8 * 2 * kMaps);
    for (std::uint64_t i = 0; i < kMaps; ++i) {
      add_map(i);
      before.maps.push_back({.address = address(i),
                             .word = kWords + 8 * i,
                             .seed = static_cast<std::uint32_t>(i + 1),
                             .pattern = 1,
                             .type = number(plain),
                             .reach = Reach::reachable});
    }
    before.counts.was_made = before.counts.is_complete = true;
  }
  static std::uint64_t address(std::uint64_t i) { return 0xc000000000 + 48 * i; }
  void add_map(std::uint64_t i) {
    census.maps.add({.address = {address(i)}, .seed = i + 1, .types = index->all()});
    memory.put(kWords + 8 * i, address(i));
  }
  std::optional<Owners> reuse() {
    auto owners = reuse_owners(memory, *index, census, before, now_ns);
    EXPECT_TRUE(owners);
    return *std::move(owners);
  }

  testing::FakeMemory memory;
  Census census;
  Owners before;
  std::uint64_t now_ns = 1'000'000'000;
};

TEST_F(ReuseTest, WhatStillHoldsIsNotFoundOutAgain) {
  const auto owners = reuse();
  ASSERT_TRUE(owners);
  EXPECT_EQ(owners->counts.maps_reached, kMaps);
  EXPECT_EQ(owners->counts.maps_changed, 0u);
  EXPECT_EQ(census.maps[7].evidence, MapEvidence::referenced);
  EXPECT_EQ(index->sets()[census.maps[7].types].size(), 1u);
}

TEST_F(ReuseTest, AMapThatMovedKeepsItsTypeAndLosesItsOwner) {
  memory.put(kWords + 8 * 3, std::uint64_t{0});
  const auto owners = reuse();
  ASSERT_TRUE(owners);
  const OwnedMap *moved = owners->find({address(3)}, 4);
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(moved->reach, Reach::unknown);
  EXPECT_EQ(moved->pattern, OwnerPatterns::kNone);
  EXPECT_EQ(moved->type, number(plain));
  EXPECT_EQ(owners->counts.maps_changed, 1u);
}

TEST_F(ReuseTest, AnotherMapAtTheSameAddressIsNotKnown) {
  before.maps[5].seed = 77;
  const auto owners = reuse();
  ASSERT_TRUE(owners);
  EXPECT_EQ(owners->find({address(5)}, 6), nullptr);
  EXPECT_EQ(owners->counts.maps_reached, kMaps - 1);
}

TEST_F(ReuseTest, ManyNewMapsAreWorthAWalk) {
  for (std::uint64_t i = 0; i < 4; ++i)
    add_map(kMaps + i);
  EXPECT_TRUE(reuse());
  for (std::uint64_t i = 4; i < 10; ++i)
    add_map(kMaps + i);
  EXPECT_FALSE(reuse());
}

TEST_F(ReuseTest, AWalkIsNotMadeAgainWhileItWouldTakeMoreThanATwentieth) {
  for (std::uint64_t i = 0; i < kMaps / 2; ++i)
    add_map(kMaps + i);
  before.walked_at_ns = now_ns;
  before.walk_cpu_ns = 1'000'000;
  now_ns += 19'000'000;
  const auto owners = reuse();
  ASSERT_TRUE(owners);
  EXPECT_EQ(owners->counts.maps_reached, kMaps);
  EXPECT_EQ(owners->find({address(kMaps)}, kMaps + 1), nullptr);
  now_ns += 1'000'000;
  EXPECT_FALSE(reuse());
}

TEST(NamesOfVariables, TellWhatTheRuntimeKeepsForItself) {
  for (const char *name : {"runtime.allgs", "runtime/pprof.profiles", "sync.allPools",
                           "internal/poll.x", "reflect.ptrMap"})
    EXPECT_TRUE(is_runtime_variable(name)) << name;
  for (const char *name : {"main.store", "example.org/internal/poll.x", "net/http.DefaultClient",
                           "github.com/a/runtime.b", ""})
    EXPECT_FALSE(is_runtime_variable(name)) << name;
}

class OwnerStepsTest : public ::testing::TestWithParam<std::string> {};

// Each step but the first is a word that can be read where it is said to lie.
TEST_P(OwnerStepsTest, LeadFromTheVariableToTheMap) {
  const std::string path =
      fmt::format("{}/build/workloads/{}/owners", SOURCE_DIRECTORY, GetParam());
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not built; tools/build-workloads does that";
  CensusProgram program(path, {"-n", "20"});
  ASSERT_TRUE(program.is_ready());
  const auto map = std::ranges::find_if(program.owners, [](const auto &owner) {
    return owner.second.starts_with("variable main.bigs ") && owner.second.ends_with(" inner");
  });
  ASSERT_NE(map, program.owners.end());
  auto source = open_process(program.pid());
  ASSERT_TRUE(source) << source.error().message();
  MapSurvey survey(*source, {.owners = OwnersWanted::yes});
  ASSERT_TRUE(survey.look());
  auto explained = survey.explain({map->first}, false);
  ASSERT_TRUE(explained) << explained.error().message();
  const std::vector<OwnerStep> &steps = explained->owner_steps;
  ASSERT_EQ(steps.size(), 4u);
  std::string text;
  for (const OwnerStep &step : steps)
    text += step.text;
  EXPECT_TRUE(text.starts_with("main.bigs[")) << text;
  EXPECT_TRUE(text.ends_with("] → *big.inner")) << text;
  EXPECT_EQ(text.find("[]"), text.npos) << text;
  EXPECT_EQ(steps.back().object.value, map->first);
  for (std::size_t i = 1; i < steps.size(); ++i) {
    std::uint64_t word = 0;
    MemoryRead read{steps[i].word, std::as_writable_bytes(std::span{&word, 1})};
    ASSERT_TRUE(program.memory().read({&read, 1}));
    EXPECT_TRUE(read.is_read);
    EXPECT_EQ(word, steps[i].object.value) << steps[i].text;
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, OwnerStepsTest,
                         ::testing::Values("1.22.12/plain", "1.24.13/plain", "1.26.8/plain",
                                           "1.27.4/pie"),
                         [](const auto &parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '.' || c == '/'; }, '_');
                           return name;
                         });

class OwnersOfForgeriesTest : public ::testing::TestWithParam<std::string> {};

// Objects that look like headers of maps in every way, but which no word holds as a map.
TEST_P(OwnersOfForgeriesTest, AreNotTold) {
  const std::string path =
      fmt::format("{}/build/workloads/{}/census", SOURCE_DIRECTORY, GetParam());
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not built; tools/build-workloads does that";
  CensusProgram program(path, {"-n", "1000", "-noise", "200"});
  ASSERT_TRUE(program.is_ready());
  ASSERT_FALSE(program.noise.empty());
  auto source = open_process(program.pid());
  ASSERT_TRUE(source) << source.error().message();
  MapSurvey survey(*source, {.owners = OwnersWanted::yes});
  auto looked = survey.look();
  ASSERT_TRUE(looked) << looked.error().message();
  std::uint64_t maps = 0, owned = 0;
  for (const JudgedMap &map : survey.report({.top = 0}).maps) {
    const std::uint64_t address = map.map.address.value;
    if (const auto noise = program.noise.find(address); noise != program.noise.end()) {
      // Of a header and its copy, the census tells what they hold.
      EXPECT_TRUE(map.certainty != TypeCertainty::exact || noise->second == "copy")
          << noise->second << " " << map.type;
      EXPECT_NE(map.owner.reach, Reach::reachable) << noise->second << " " << map.owner.path;
    }
    maps += program.maps.contains(address);
    owned += program.maps.contains(address) && map.owner.reach == Reach::reachable;
  }
  EXPECT_GT(maps, 700u); // of a header and its copy, either may be among them
  EXPECT_GT(owned * 100, maps * 95);
}

INSTANTIATE_TEST_SUITE_P(Programs, OwnersOfForgeriesTest,
                         ::testing::Values("1.19.13/plain", "1.22.12/stripped", "1.24.13/plain",
                                           "1.26.8/stripped", "1.27.4/plain"),
                         [](const auto &parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '.' || c == '/'; }, '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
