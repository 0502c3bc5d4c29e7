// Version strings of every era, and what a build says of itself.
#include "binary/build_info.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "binary/go_binary.h"
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

TEST(ToolchainVersionTest, AReleaseIsNothingButItsNumbers) {
  for (const char *text :
       {"go1.17", "go1.26.8", "go1.25.14 X:noswissmap", "go1.26.0-X:nogreenteagc"})
    EXPECT_EQ(parse_toolchain_version(text).nearness, Nearness::release) << text;
}

// Numbers, and a rest that says of whom: the structures are those of the release, or nearly.
TEST(ToolchainVersionTest, CandidatesAndVendorsMakeVariants) {
  const std::pair<const char *, GoVersion> variants[] = {
      {"go1.27rc2", {1, 27, 0}},
      {"go1.18beta1", {1, 18, 0}},
      {"go1.20.12 (Red Hat 1.20.12-1.el9)", {1, 20, 12}},
      {"go1.22.1-fips", {1, 22, 1}},
      {"go1.22.12-fips X:boringcrypto", {1, 22, 12}},
      {"go1.27.4+auto", {1, 27, 4}},
      {"go1.24.4-bigcorp", {1, 24, 4}}};
  for (const auto &[text, version] : variants) {
    EXPECT_EQ(parse_toolchain_version(text).version, version) << text;
    EXPECT_EQ(parse_toolchain_version(text).nearness, Nearness::variant) << text;
  }
  auto vendor = parse_toolchain_version("go1.24.4 X:nocoverageredesign");
  EXPECT_EQ(vendor.nearness, Nearness::release);
  EXPECT_EQ(vendor.experiments, std::vector<std::string>{"nocoverageredesign"});
}

TEST(ToolchainVersionTest, ADevelopmentVersionLeadsToARelease) {
  const std::pair<const char *, GoVersion> versions[] = {
      {"devel go1.28-4f2b1f3a Tue Mar 3 2026", {1, 28, 0}},
      {"devel go1.28-abcdef", {1, 28, 0}},
      {"go1.27-devel_ca37d24e0b Fri", {1, 27, 0}},
      {"go1.27-20260101-RC00 cl/123456", {1, 27, 0}}};
  for (const auto &[text, version] : versions) {
    EXPECT_EQ(parse_toolchain_version(text).version, version) << text;
    EXPECT_EQ(parse_toolchain_version(text).nearness, Nearness::development) << text;
  }
}

TEST(ToolchainVersionTest, WhatNamesNoReleaseIsUnknown) {
  for (const std::string &text :
       {std::string{"devel +b7a85e0003 Thu Jan 1 2026"}, std::string{}, std::string{"go"},
        std::string{"go1"}, std::string{"go1."}, std::string{"go99999999999.1"},
        std::string{"go1.99999999999"}, std::string{"1.27.4"}, std::string{"devel "},
        std::string(1 << 20, 'g')}) {
    EXPECT_EQ(parse_toolchain_version(text).nearness, Nearness::unknown) << text.substr(0, 40);
    EXPECT_EQ(parse_toolchain_version(text).version, GoVersion{}) << text.substr(0, 40);
  }
}

std::string refusal(std::string version) {
  SyntheticGo program;
  program.version = std::move(version);
  const auto opened = GoBinary::open(program.make(), "/srv/app");
  return opened ? "" : opened.error().message();
}

TEST(ToolchainVersionTest, WhatMapscopeDoesNotReadIsRefused) {
  EXPECT_EQ(refusal("go1.26.8"), "");
  EXPECT_EQ(refusal("go1.99.0"), "");
  EXPECT_EQ(refusal("go1.16.15"), "/srv/app: made by go1.16.15; mapscope reads Go 1.17 and newer");
  EXPECT_EQ(refusal("go2.0"), "/srv/app: made by go2.0; mapscope reads Go 1, from 1.17 on");
  EXPECT_EQ(refusal("go0.99"), "/srv/app: made by go0.99; mapscope reads Go 1.17 and newer");
  EXPECT_EQ(refusal("devel +b7a85e0003"),
            "/srv/app: made by 'devel +b7a85e0003', which names no release of Go: what its runtime "
            "looks like is not known. mapscope reads Go 1.17 and newer");
  EXPECT_EQ(refusal(""), "/srv/app: its Go build information names no Go version");
  EXPECT_EQ(refusal("go1.26.8" + std::string(1 << 20, ' ')),
            "/srv/app: its Go build information has a Go version of 1048584 bytes");
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

// The program without its build information, where the variables of a runtime are instead: headers
// of the text of the version, and of the first bytes of what follows it in a frame.
std::string version_without_build_info(std::string version, std::uint64_t version_bytes,
                                       std::string other = "") {
  SyntheticGo program;
  program.version = std::move(version);
  program.modules = other;
  auto bytes = program.make();
  const std::size_t at = program.build_info_offset(), text = at + 33, frame = 16 + 1;
  const std::uint64_t second[] = {SyntheticGo::kBase + text + program.version.size() + frame,
                                  other.size()};
  const std::uint64_t first[] = {SyntheticGo::kBase + text, version_bytes};
  std::memcpy(&bytes[at], second, sizeof(second));
  std::memcpy(&bytes[at + 16], first, sizeof(first));
  const auto opened = GoBinary::open(bytes, "/srv/app");
  if (!opened)
    return opened.error().message();
  EXPECT_TRUE(opened->build_info().was_removed);
  EXPECT_EQ(opened->build_info().main_module, "");
  return opened->build_info().toolchain.text;
}

// esbuild takes it out of what it publishes.
TEST(BuildInfoTest, WithoutItTheVersionIsTheOneThatTheRuntimeNames) {
  EXPECT_EQ(version_without_build_info("go1.26.8", 8), "go1.26.8");
  EXPECT_EQ(version_without_build_info("go1.26.8-X:nogreenteagc", 23), "go1.26.8");
  EXPECT_EQ(version_without_build_info("go1.26.8", 8, "go1.26.8"), "go1.26.8");
}

TEST(BuildInfoTest, WhatMayBeAnotherVersionIsNotTakenForTheRuntimes) {
  const std::string refused = "/srv/app: it has no Go build information: not a Go program (or one "
                              "made smaller by a packer such as UPX; unpack it first)";
  EXPECT_EQ(version_without_build_info("go1.26.8", 8, "go1.25.3"), refused);
  EXPECT_EQ(version_without_build_info("go1.26.8", 6), refused); // of the language
  EXPECT_EQ(version_without_build_info("so1.26.8", 8), refused);
  EXPECT_EQ(version_without_build_info("go1.26.8", 0), refused);
}

} // namespace
} // namespace mapscope
