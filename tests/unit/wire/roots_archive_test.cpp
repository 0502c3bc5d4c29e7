// Roots come back as they were, and nothing comes back that no program has.
#include "wire/roots_archive.h"

#include <functional>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

const RootPlaces kPlaces{.text = {{0x401000}, 0x1000}, .types = {{0x500000}, 0x10000}};

ProgramRoots some_roots() {
  return {.variables = {{.name = "main.store",
                         .address = {0x600000},
                         .type = {0x500100},
                         .size_bytes = 8,
                         .evidence = RootEvidence::dwarf},
                        {.name = "main.all",
                         .address = {0x600008},
                         .pointee = {0x500200},
                         .is_slice = true,
                         .count = 2,
                         .size_bytes = 48,
                         .evidence = RootEvidence::dwarf},
                        {.address = {0x600040},
                         .type = {0x500300},
                         .size_bytes = 8,
                         .evidence = RootEvidence::code}},
          .closures = {{{0x401000}, {0x500400}}, {{0x401080}, {0x500480}}},
          .masked = {{{{0x600000}, 0x1000}, {0x700000}}, {{{0x601000}, 0x800}, {0x700010}}},
          .uses = {{.address = {0x600000}, .function = "main.add"},
                   {.address = {0x600100}, .function = "runtime.main", .is_runtime = true}},
          .warnings = {"a sentence"}};
}

Result<ProgramRoots> passed_on(const ProgramRoots &roots) {
  return roots_from_bytes(roots_to_bytes(roots), kPlaces);
}

TEST(RootsArchiveTest, RootsComeBackAsTheyWere) {
  EXPECT_EQ(passed_on(some_roots()).value(), some_roots());
  EXPECT_EQ(passed_on({}).value(), ProgramRoots{});
}

TEST(RootsArchiveTest, TextsComeOutPrintable) {
  ProgramRoots roots = some_roots();
  roots.variables[0].name = "main.\x1b[2Jstore";
  EXPECT_EQ(passed_on(roots)->variables[0].name, "main.?[2Jstore");
}

using Damage = std::function<void(ProgramRoots &)>;

const std::vector<std::pair<const char *, Damage>> kDamages = {
    {"a type outside", [](ProgramRoots &roots) { roots.variables[0].type = {0x400100}; }},
    {"a type that is not aligned", [](ProgramRoots &roots) { roots.variables[0].type.value++; }},
    {"a pointee outside", [](ProgramRoots &roots) { roots.variables[1].pointee = {8}; }},
    {"both", [](ProgramRoots &roots) { roots.variables[0].pointee = {0x500200}; }},
    {"no address", [](ProgramRoots &roots) { roots.variables[0].address = {}; }},
    {"an address of the kernel",
     [](ProgramRoots &roots) { roots.variables[2].address = {1ULL << 48}; }},
    {"more values than room", [](ProgramRoots &roots) { roots.variables[1].count = 7; }},
    {"no value", [](ProgramRoots &roots) { roots.variables[1].count = 0; }},
    {"a size that wraps", [](ProgramRoots &roots) { roots.variables[2].size_bytes = ~0ULL; }},
    {"a name without end",
     [](ProgramRoots &roots) { roots.variables[0].name.assign(RootLimits::kNameBytes + 1, 'x'); }},
    {"code outside", [](ProgramRoots &roots) { roots.closures[1].entry = {0x402000}; }},
    {"a closure without a type", [](ProgramRoots &roots) { roots.closures[1].type = {}; }},
    {"a bitmap nowhere", [](ProgramRoots &roots) { roots.masked[1].field = {}; }},
    {"data that is not aligned", [](ProgramRoots &roots) { roots.masked[1].range.start.value++; }},
    {"a use by nobody", [](ProgramRoots &roots) { roots.uses[0].function.clear(); }},
};

TEST(RootsArchiveTest, WhatNoProgramHasIsRefused) {
  for (const auto &[what, damage] : kDamages) {
    ProgramRoots roots = some_roots();
    damage(roots);
    const auto answer = passed_on(roots);
    ASSERT_FALSE(answer) << what;
    EXPECT_EQ(answer.error().code(), Errc::malformed) << what;
  }
}

TEST(RootsArchiveTest, WhatIsLeftAfterDroppingItIsAccepted) {
  for (const auto &[what, damage] : kDamages) {
    ProgramRoots roots = some_roots();
    damage(roots);
    drop_impossible(roots, kPlaces);
    EXPECT_TRUE(passed_on(roots)) << what;
    EXPECT_NE(roots, some_roots()) << what;
  }
}

TEST(RootsArchiveTest, ListsInNoOrderAreRefused) {
  ProgramRoots roots = some_roots();
  std::swap(roots.variables[0], roots.variables[1]);
  EXPECT_FALSE(passed_on(roots));
  roots = some_roots();
  std::swap(roots.uses[0], roots.uses[1]);
  EXPECT_FALSE(passed_on(roots));
}

TEST(RootsArchiveTest, MoreThanAnyProgramHasIsShortenedWithAWordAndRefusedWithout) {
  ProgramRoots roots;
  for (std::uint64_t i = 0; i <= RootLimits::kUses; ++i)
    roots.uses.push_back({.address = {0x600000 + 8 * i}, .function = "f"});
  EXPECT_FALSE(passed_on(roots));
  drop_impossible(roots, kPlaces);
  EXPECT_EQ(roots.uses.size(), RootLimits::kUses);
  ASSERT_EQ(roots.warnings.size(), 1u);
  EXPECT_TRUE(passed_on(roots));
}

TEST(RootsArchiveTest, CutBytesAreRefusedAndSoAreThoseBehind) {
  Bytes bytes = roots_to_bytes(some_roots());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(roots_from_bytes(std::span{bytes}.first(size), kPlaces)) << size;
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(roots_from_bytes(bytes, kPlaces));
}

} // namespace
} // namespace mapscope
