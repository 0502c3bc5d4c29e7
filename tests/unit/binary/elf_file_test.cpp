// ELF headers good and bad, and data as the loader leaves it.
#include "binary/elf_file.h"

#include <cstring>
#include <string>

#include <elf.h>
#include <gtest/gtest.h>

#include "support/synthetic_go.h"

namespace mapscope {
namespace {

template <typename T> void poke(std::vector<std::byte> &bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

Errc refusal(const std::vector<std::byte> &bytes) {
  auto elf = ElfFile::parse(bytes);
  EXPECT_FALSE(elf);
  return elf ? Errc::system : elf.error().code();
}

TEST(ElfFileTest, RefusesWhatIsNoElf) {
  EXPECT_EQ(refusal({}), Errc::unsupported);
  EXPECT_EQ(refusal(std::vector<std::byte>(4096)), Errc::unsupported);
}

TEST(ElfFileTest, RefusesOtherMachinesWithTheirNumber) {
  auto bytes = SyntheticGo{}.make();
  poke(bytes, offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_386});
  auto elf = ElfFile::parse(bytes);
  ASSERT_FALSE(elf);
  EXPECT_EQ(elf.error().code(), Errc::unsupported);
  EXPECT_NE(elf.error().message().find("ELF machine 3"), std::string::npos);
}

TEST(ElfFileTest, Refuses32BitBigEndianAndObjectFiles) {
  for (auto [at, value] : {std::pair<std::size_t, std::uint8_t>{EI_CLASS, ELFCLASS32},
                           {EI_DATA, ELFDATA2MSB},
                           {offsetof(Elf64_Ehdr, e_type), ET_REL}}) {
    auto bytes = SyntheticGo{}.make();
    poke(bytes, at, value);
    EXPECT_EQ(refusal(bytes), Errc::unsupported) << at;
  }
}

TEST(ElfFileTest, ConvertsAddressesToFileOffsets) {
  auto bytes = SyntheticGo{}.make();
  auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf);
  auto offset = elf->file_offset({SyntheticGo::kBase + 0x40});
  ASSERT_TRUE(offset);
  EXPECT_EQ(offset->value, 0x40u);
  EXPECT_FALSE(elf->file_offset({SyntheticGo::kBase - 1}));
  EXPECT_FALSE(elf->file_offset({SyntheticGo::kBase + bytes.size()}));
}

TEST(ElfFileTest, MemoryBehindTheFileIsZero) {
  auto bytes = SyntheticGo{}.make();
  auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf);
  const ElfSegment &segment = elf->segments().front();
  const ElfAddress end{segment.range.start.value + segment.bytes.size()};
  auto data = elf->read_data({{end.value - 1}, 9});
  ASSERT_TRUE(data) << data.error().message();
  EXPECT_EQ(std::vector<std::byte>(data->begin() + 1, data->end()), std::vector<std::byte>(8));
  EXPECT_FALSE(elf->read_data({end, 65})); // the segment ends 64 bytes behind the file
  EXPECT_FALSE(elf->raw({{end.value - 1}, 9}));
}

TEST(ElfFileTest, WildSegmentsAndSectionsAreMalformed) {
  const std::size_t segment = sizeof(Elf64_Ehdr);
  for (std::size_t at :
       {segment + offsetof(Elf64_Phdr, p_offset), segment + offsetof(Elf64_Phdr, p_filesz),
        segment + offsetof(Elf64_Phdr, p_vaddr), offsetof(Elf64_Ehdr, e_phoff),
        offsetof(Elf64_Ehdr, e_shoff)})
    for (std::uint64_t value : {~0ULL, 1ULL << 63, 0x7fff'ffffULL << 12}) {
      auto bytes = SyntheticGo{}.make();
      poke(bytes, at, value);
      auto elf = ElfFile::parse(bytes);
      if (at == segment + offsetof(Elf64_Phdr, p_vaddr) && value != ~0ULL)
        EXPECT_TRUE(elf); // a strange place, but no contradiction
      else
        EXPECT_EQ(refusal(bytes), Errc::malformed) << at << " " << value;
    }
}

TEST(ElfFileTest, ASegmentSmallerInMemoryThanInTheFileIsMalformed) {
  auto bytes = SyntheticGo{}.make();
  poke(bytes, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz), std::uint64_t{16});
  EXPECT_EQ(refusal(bytes), Errc::malformed);
}

// One loadable segment with a dynamic section and relocations at its end.
std::vector<std::byte> relocated_elf(const std::vector<Elf64_Rela> &relocations) {
  constexpr std::uint64_t kDynamic = 0x100, kRelocations = 0x200;
  std::vector<std::byte> bytes(kRelocations + relocations.size() * sizeof(Elf64_Rela));
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  poke(bytes, 0, header);
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_W;
  segment.p_filesz = segment.p_memsz = bytes.size();
  poke(bytes, sizeof(header), segment);
  segment.p_type = PT_DYNAMIC;
  segment.p_offset = segment.p_vaddr = kDynamic;
  segment.p_filesz = segment.p_memsz = 3 * sizeof(Elf64_Dyn);
  poke(bytes, sizeof(header) + sizeof(segment), segment);
  poke(bytes, kDynamic, Elf64_Dyn{DT_RELA, {kRelocations}});
  poke(bytes, kDynamic + sizeof(Elf64_Dyn),
       Elf64_Dyn{DT_RELASZ, {relocations.size() * sizeof(Elf64_Rela)}});
  for (std::size_t i = 0; i < relocations.size(); ++i)
    poke(bytes, kRelocations + i * sizeof(Elf64_Rela), relocations[i]);
  return bytes;
}

constexpr auto kRelative = ELF64_R_INFO(0, R_X86_64_RELATIVE);

TEST(ElfFileTest, AppliesRelativeRelocationsInAnyOrder) {
  auto bytes = relocated_elf({{0x198, kRelative, 0x4000},
                              {0x188, kRelative, 0x2000},
                              {0x190, ELF64_R_INFO(1, R_X86_64_GLOB_DAT), 0x3000}});
  auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf) << elf.error().message();
  EXPECT_EQ(elf->read_pointer({0x188}).value(), 0x2000u);
  EXPECT_EQ(elf->read_pointer({0x190}).value(), 0u); // not ours to resolve
  EXPECT_EQ(elf->read_pointer({0x198}).value(), 0x4000u);

  auto both = elf->read_data({{0x188}, 24});
  ASSERT_TRUE(both);
  EXPECT_EQ((*both)[1], std::byte{0x20});
  EXPECT_EQ((*both)[17], std::byte{0x40});
  EXPECT_EQ(elf->raw({{0x188}, 8}).value()[1], std::byte{0}); // as linked
}

TEST(ElfFileTest, FindsPointersThatOnlyARelocationWrites) {
  auto bytes = relocated_elf({{0x188, kRelative, 0x2000}, {0x198, kRelative, 0x4000}});
  poke(bytes, 0x1a0, std::uint64_t{0x4000});
  auto elf = ElfFile::parse(bytes);
  ASSERT_TRUE(elf);
  // The last is the relocation's own addend, which lies in the same segment here.
  EXPECT_EQ(elf->pointers_to({0x4000}), (std::vector<ElfAddress>{{0x198}, {0x1a0}, {0x228}}));
}

} // namespace
} // namespace mapscope
