// A Go executable of some two kilobytes, put together by hand: two functions, one of them with
// another inlined. For tests that damage it byte by byte, and as a seed for fuzzing.
//
//   main.main  0x...+0   16 bytes, line 10
//   main.fill  0x...+16  16 bytes, lines 20 and 21; main.inner (line 7) in [20, 28), called on 20
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <elf.h>

#include "base/address.h"

namespace mapscope {

class SyntheticGo {
public:
  static constexpr std::uint64_t kBase = 0x400000;

  std::string version = "go1.26.8";
  std::string modules = "path\texample.org/tiny\nmod\texample.org/tiny\t(devel)\t\n"
                        "build\t-buildmode=exe\nbuild\t-tags=\"one two\"\n";
  bool has_sections = true;
  // Further sections that are not loaded, by name.
  std::vector<std::pair<std::string, std::vector<std::byte>>> extra_sections;

  // The bytes of the file. Afterwards the addresses below are known.
  std::vector<std::byte> make();

  ElfAddress text() const { return text_; }
  std::uint64_t pclntab_offset() const { return pclntab_; }
  std::uint64_t build_info_offset() const { return build_info_; }
  std::uint64_t module_data_offset() const { return module_data_; }
  std::size_t pclntab_bytes() const { return pclntab_bytes_; }

private:
  void align(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) & ~(alignment - 1));
  }
  template <typename T> void put(T value) {
    const auto *first = reinterpret_cast<const std::byte *>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(value));
  }
  void put_text(std::string_view text) {
    for (char letter : text)
      put(letter);
  }
  template <typename T> void set(std::size_t at, T value) {
    const auto *first = reinterpret_cast<const std::byte *>(&value);
    std::copy(first, first + sizeof(value), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void put_build_info();
  void put_text_and_inline_tree();
  void put_pclntab();
  void put_module_data();
  void put_sections();

  std::vector<std::byte> bytes_;
  ElfAddress text_;
  std::uint64_t build_info_ = 0, build_info_bytes_ = 0;
  std::uint64_t pclntab_ = 0, pclntab_bytes_ = 0;
  std::uint64_t inline_tree_ = 0, module_data_ = 0;
};

inline std::vector<std::byte> SyntheticGo::make() {
  bytes_.clear();
  bytes_.resize(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
  put_build_info();
  put_text_and_inline_tree();
  put_pclntab();
  put_module_data();

  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_entry = text_.value;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  set(0, header);
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_W | PF_X;
  segment.p_vaddr = kBase;
  segment.p_filesz = bytes_.size();
  segment.p_memsz = bytes_.size() + 64; // some zero-filled memory behind it
  set(sizeof(Elf64_Ehdr), segment);
  if (has_sections)
    put_sections();
  return bytes_;
}

inline void SyntheticGo::put_build_info() {
  align(16);
  build_info_ = bytes_.size();
  put_text("\xff Go buildinf:");
  put<std::uint8_t>(8);
  put<std::uint8_t>(2); // strings follow inline
  bytes_.resize(build_info_ + 32);
  const auto framed = std::string(16, '{') + modules + std::string(16, '}');
  for (std::string_view text : {std::string_view{version}, std::string_view{framed}}) {
    for (std::size_t rest = text.size();; rest >>= 7) {
      put(static_cast<std::uint8_t>(rest < 0x80 ? rest : 0x80 | (rest & 0x7f)));
      if (rest < 0x80)
        break;
    }
    put_text(text);
  }
  build_info_bytes_ = bytes_.size() - build_info_;
}

inline void SyntheticGo::put_text_and_inline_tree() {
  align(16);
  text_ = {kBase + bytes_.size()};
  bytes_.resize(bytes_.size() + 32, std::byte{0xc3});
  inline_tree_ = bytes_.size();
  put<std::uint32_t>(0);  // funcID
  put<std::uint32_t>(21); // name: main.inner
  put<std::uint32_t>(2);  // parent pc
  put<std::uint32_t>(6);  // start line
}

inline void SyntheticGo::put_pclntab() {
  align(32);
  pclntab_ = bytes_.size();
  put<std::uint32_t>(0xfffffff1);
  put<std::uint16_t>(0);
  put<std::uint8_t>(1);
  put<std::uint8_t>(8);
  put<std::uint64_t>(2); // functions
  put<std::uint64_t>(1); // files
  put<std::uint64_t>(0); // text start, unused since Go 1.26
  const std::size_t offsets = bytes_.size();
  bytes_.resize(bytes_.size() + 5 * sizeof(std::uint64_t));
  std::size_t table = 0;
  const auto begin_table = [&] {
    align(8);
    set(offsets + 8 * table++, std::uint64_t{bytes_.size() - pclntab_});
  };
  begin_table();
  put_text({"\0main.main\0main.fill\0main.inner\0", 32});
  begin_table(); // one unit with one file
  put<std::uint32_t>(0);
  begin_table();
  put_text({"/src/main.go\0", 13});
  begin_table();
  const std::uint8_t values[] = {0,  2,  16, 0,            // 1: file 0
                                 22, 16, 0,                // 4: line 10
                                 42, 4,  25, 8, 28, 4, 0,  // 7: lines 20, 7, 21
                                 0,  4,  2,  8, 1,  4, 0}; // 14: nothing, node 0, nothing
  for (std::uint8_t value : values)
    put(value);
  begin_table();
  const std::uint32_t entries_bytes = 6 * 4;
  const std::uint32_t record_bytes = 44 + 3 * 4 + 4 * 4;
  for (std::uint32_t word : {0U, entries_bytes, 16U, entries_bytes + record_bytes, 32U, 0U})
    put(word);
  const auto put_record = [&](std::uint32_t entry, std::uint32_t name, std::uint32_t lines,
                              std::uint32_t nodes, std::uint32_t tree) {
    for (std::uint32_t word : {entry, name, 0U, 0U, 0U, 1U, lines, 3U, 0U, 1U})
      put(word);
    put<std::uint32_t>(4U << 24); // nfuncdata 4
    for (std::uint32_t word : {0U, 0U, nodes, ~0U, ~0U, ~0U, tree})
      put(word);
  };
  put_record(0, 1, 4, 0, ~0U);
  put_record(16, 11, 7, 14, 0);
  pclntab_bytes_ = bytes_.size() - pclntab_;
}

inline void SyntheticGo::put_module_data() {
  align(8);
  module_data_ = bytes_.size();
  bytes_.resize(bytes_.size() + 592);
  set(module_data_, kBase + pclntab_);
  set(module_data_ + 160, text_.value);
  set(module_data_ + 168, text_.value + 32);
  set(module_data_ + 176, text_.value);
  set(module_data_ + 184, text_.value + 32);
  // Variables and types are whatever the first bytes of the file are.
  set(module_data_ + 208, kBase);
  set(module_data_ + 216, kBase + 256);
  set(module_data_ + 224, kBase + 256);
  set(module_data_ + 232, kBase + 512);
  set(module_data_ + 296, kBase);
  set(module_data_ + 304, kBase + bytes_.size());
  set(module_data_ + 320, kBase + inline_tree_);
}

inline void SyntheticGo::put_sections() {
  std::string names{"\0.shstrtab\0.go.buildinfo\0.gopclntab\0", 36};
  std::vector<std::array<std::size_t, 3>> extra; // of the name, and of the bytes: where, how many
  for (const auto &[name, bytes] : extra_sections) {
    extra.push_back({names.size(), bytes_.size(), bytes.size()});
    names += name + '\0';
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  const std::size_t names_at = bytes_.size();
  put_text(names);
  align(8);
  const std::size_t headers = bytes_.size();
  const auto put_header = [&](std::uint32_t name, std::uint32_t type, std::uint64_t offset,
                              std::uint64_t size_bytes) {
    Elf64_Shdr header{};
    header.sh_name = name;
    header.sh_type = type;
    header.sh_addr = type == SHT_PROGBITS ? kBase + offset : 0;
    header.sh_offset = offset;
    header.sh_size = size_bytes;
    put(header);
  };
  put_header(0, SHT_NULL, 0, 0);
  put_header(1, SHT_STRTAB, names_at, names.size());
  put_header(11, SHT_PROGBITS, build_info_, build_info_bytes_);
  put_header(25, SHT_PROGBITS, pclntab_, pclntab_bytes_);
  for (const auto &[name, offset, size_bytes] : extra)
    put_header(static_cast<std::uint32_t>(name), SHT_PROGBITS, offset, size_bytes);
  set(offsetof(Elf64_Ehdr, e_shoff), std::uint64_t{headers});
  set(offsetof(Elf64_Ehdr, e_shentsize), std::uint16_t{sizeof(Elf64_Shdr)});
  set(offsetof(Elf64_Ehdr, e_shnum), static_cast<std::uint16_t>(4 + extra.size()));
  set(offsetof(Elf64_Ehdr, e_shstrndx), std::uint16_t{1});
}

} // namespace mapscope
