// The first look never refuses what the parser accepts, and refuses nearly all that is no Go.
#include "binary/go_look.h"

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/build_info.h"
#include "support/synthetic_go.h"

namespace mapscope {
namespace {

Fd file_of(std::span<const std::byte> bytes) {
  Fd file{::memfd_create("tiny", MFD_CLOEXEC)};
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

Fd file_at(const std::string &path) { return Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}; }

bool says_yes(const Fd &file) {
  auto answer = may_be_go(file);
  EXPECT_TRUE(answer) << answer.error().message();
  return answer.value_or(false);
}

TEST(GoLookTest, EveryWorkloadInEachReleaseAndModeMayBeGo) {
  const std::filesystem::path root = std::string{SOURCE_DIRECTORY} + "/build/workloads";
  std::size_t count = 0;
  std::error_code none;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(root, none))
    if (entry.is_regular_file() && ::access(entry.path().c_str(), X_OK) == 0) {
      const Fd file = file_at(entry.path());
      if (file && says_yes(file))
        ++count;
      else
        ADD_FAILURE() << entry.path();
    }
  if (count == 0)
    GTEST_SKIP() << root << " has no program (tools/build-workloads)";
}

TEST(GoLookTest, ProgramsOfOthersToo) {
  for (const char *path : {"/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager",
                           "/usr/bin/etcd", "/usr/bin/caddy", "/usr/bin/kubectl"})
    if (const Fd file = file_at(path)) {
      EXPECT_TRUE(says_yes(file)) << path;
    }
}

TEST(GoLookTest, WhatIsNoGoIsNone) {
  for (const char *path : {"/bin/true", "/bin/sh", "/usr/bin/env", "/usr/bin/c++", "/usr/bin/perl",
                           "/usr/lib/systemd/systemd", "/etc/passwd", "/bin"}) {
    const Fd file = file_at(path);
    if (!file)
      continue;
    const auto answer = may_be_go(file);
    EXPECT_FALSE(answer.value_or(false)) << path;
  }
  EXPECT_FALSE(says_yes(file_of({})));
  EXPECT_FALSE(says_yes(file_of(std::as_bytes(std::span{"#!/bin/sh\n"}))));
  EXPECT_FALSE(says_yes(file_of(std::vector<std::byte>(1000))));
}

TEST(GoLookTest, WithoutSectionHeadersTheMagicTellsWhereverItIs) {
  SyntheticGo program;
  program.has_sections = false;
  EXPECT_TRUE(says_yes(file_of(program.make())));
}

// Build information can be taken out as well; the parser goes by the version then.
TEST(GoLookTest, WithoutBuildInformationTheVersionTells) {
  for (const bool names_a_version : {true, false}) {
    SyntheticGo program;
    program.has_sections = false;
    program.version = names_a_version ? "go1.26.8" : "1.26.8";
    auto bytes = program.make();
    bytes[program.build_info_offset()] = std::byte{0};
    EXPECT_EQ(says_yes(file_of(bytes)), names_a_version);
  }
}

// One writable segment with the magic at its end, without section headers.
std::vector<std::byte> bare_file(std::size_t data_bytes, std::size_t magic_at) {
  const std::size_t front = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  std::vector<std::byte> bytes(front + data_bytes);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_W;
  segment.p_offset = front;
  segment.p_filesz = segment.p_memsz = data_bytes;
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &segment, sizeof(segment));
  if (magic_at < data_bytes)
    std::memcpy(bytes.data() + front + magic_at, "\xff Go buildinf:", 14);
  return bytes;
}

TEST(GoLookTest, TheMagicIsFoundAcrossThePiecesThatAreRead) {
  constexpr std::size_t kPiece = 64 << 10;
  for (std::size_t before = 0; before <= 16; ++before)
    EXPECT_TRUE(says_yes(file_of(bare_file(3 * kPiece, 2 * kPiece - before)))) << before;
  EXPECT_TRUE(says_yes(file_of(bare_file(kPiece + 14, kPiece))));
  EXPECT_TRUE(says_yes(file_of(bare_file(14, 0))));
  EXPECT_FALSE(says_yes(file_of(bare_file(3 * kPiece, 3 * kPiece))));
}

TEST(GoLookTest, WhatIsTooLongToReadIsLeftToTheParser) {
  auto bytes = bare_file(4096, 4096);
  Elf64_Phdr segment;
  std::memcpy(&segment, bytes.data() + sizeof(Elf64_Ehdr), sizeof(segment));
  segment.p_filesz = segment.p_memsz = 65 << 20;
  std::memcpy(bytes.data() + sizeof(Elf64_Ehdr), &segment, sizeof(segment));
  const Fd file = file_of(bytes);
  ASSERT_EQ(::ftruncate(file.get(), 70 << 20), 0); // a hole
  EXPECT_TRUE(says_yes(file));
}

TEST(GoLookTest, NoDamageMakesItRefuseWhatTheParserAccepts) {
  for (const bool has_sections : {true, false}) {
    SyntheticGo program;
    program.has_sections = has_sections;
    const auto sound = program.make();
    for (std::size_t at = 0; at < sound.size(); ++at)
      for (const std::byte value : {std::byte{0}, std::byte{0xff}, sound[at] ^ std::byte{1}}) {
        auto bytes = sound;
        bytes[at] = value;
        const auto elf = ElfFile::parse(bytes);
        if (says_yes(file_of(bytes)))
          continue;
        ASSERT_FALSE(elf && read_build_info(*elf)) << "byte " << at;
      }
  }
}

TEST(GoLookTest, AFileThatIsCutShortIsNoFault) {
  SyntheticGo program;
  const auto bytes = program.make();
  for (std::size_t size = 0; size < bytes.size(); size += 7)
    (void)says_yes(file_of(std::span{bytes}.first(size)));
}

} // namespace
} // namespace mapscope
