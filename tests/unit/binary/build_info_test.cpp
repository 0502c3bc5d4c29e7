// Version strings of every era, and what a build says of itself.
#include "binary/build_info.h"

#include <gtest/gtest.h>

#include "support/synthetic_go.h"

namespace mapscope {
namespace {

TEST(ToolchainVersionTest, ReadsAPlainRelease) {
  auto version = parse_toolchain_version("go1.26.8");
  EXPECT_EQ(version.text, "go1.26.8");
  EXPECT_EQ(version.version, (GoVersion{1, 26, 8}));
  EXPECT_TRUE(version.experiments.empty());
}

TEST(ToolchainVersionTest, ReadsExperimentsBehindASpaceAndBehindADash) {
  auto older = parse_toolchain_version("go1.25.14 X:noswissmap,arenas");
  EXPECT_EQ(older.text, "go1.25.14");
  EXPECT_EQ(older.version, (GoVersion{1, 25, 14}));
  EXPECT_EQ(older.experiments, (std::vector<std::string>{"noswissmap", "arenas"}));

  auto newer = parse_toolchain_version("go1.26.0-X:nogreenteagc");
  EXPECT_EQ(newer.text, "go1.26.0");
  EXPECT_EQ(newer.version, (GoVersion{1, 26, 0}));
  EXPECT_EQ(newer.experiments, std::vector<std::string>{"nogreenteagc"});
}

TEST(ToolchainVersionTest, FirstReleasesAndCandidatesHavePatchZero) {
  EXPECT_EQ(parse_toolchain_version("go1.17").version, (GoVersion{1, 17, 0}));
  EXPECT_EQ(parse_toolchain_version("go1.27rc2").version, (GoVersion{1, 27, 0}));
}

TEST(ToolchainVersionTest, VendorsMayAddToTheVersion) {
  EXPECT_EQ(parse_toolchain_version("go1.20.12 (Red Hat 1.20.12-1.el9)").version,
            (GoVersion{1, 20, 12}));
  EXPECT_EQ(parse_toolchain_version("go1.22.1-fips").version, (GoVersion{1, 22, 1}));
}

TEST(ToolchainVersionTest, DevelopmentVersionsHaveMinorZero) {
  for (const char *text : {"devel +b7a85e0003 Thu Jan 1 2026", "devel go1.22-4f2b1f3a Tue",
                           "go1.27-devel_ca37d24e0b Fri", "", "go", "go1", "go99999999999.1"})
    EXPECT_EQ(parse_toolchain_version(text).version.minor, 0u) << text;
}

TEST(BuildInfoTest, KnowsModuleAndSettings) {
  SyntheticGo program;
  const auto bytes = program.make();
  const auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf) << elf.error().message();
  const auto info = read_build_info(*elf);
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->toolchain.text, "go1.26.8");
  EXPECT_EQ(info->main_module, "example.org/tiny");
  EXPECT_EQ(info->settings,
            (std::map<std::string, std::string>{{"-buildmode", "exe"}, {"-tags", "one two"}}));
}

TEST(BuildInfoTest, IsFoundWithoutSectionHeaders) {
  SyntheticGo program;
  program.has_sections = false;
  const auto bytes = program.make();
  const auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf);
  const auto info = read_build_info(*elf);
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->main_module, "example.org/tiny");
}

TEST(BuildInfoTest, AStringLongerThanTheFileIsRefused) {
  SyntheticGo program;
  auto bytes = program.make();
  bytes[program.build_info_offset() + 32] = std::byte{0xff}; // length of the version, first byte
  const auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf);
  const auto info = read_build_info(*elf);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code(), Errc::malformed);
}

} // namespace
} // namespace mapscope
