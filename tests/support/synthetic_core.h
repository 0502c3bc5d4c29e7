// A small ELF core file made by hand, and an executable of one page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <elf.h>
#include <sys/procfs.h>

#include "flow/binary_facts.h"

namespace mapscope {

class SyntheticCore {
public:
  using Bytes = std::vector<std::byte>;
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint16_t kMachine =
      this_machine() == Machine::amd64 ? EM_X86_64 : EM_AARCH64;

  struct Segment {
    std::uint64_t address = 0, size_bytes = 0;
    std::uint32_t access = PF_R | PF_W;
    Bytes stored;
  };
  struct File {
    std::uint64_t address = 0, size_bytes = 0, page = 0;
    std::string path;
  };

  std::vector<Segment> segments;
  std::vector<File> files;
  std::int32_t pid = 4711;
  std::uint64_t entry = 0; // 0: no NT_AUXV

  Bytes make() const {
    const Bytes notes = make_notes();
    const std::size_t count = segments.size() + 1;
    std::uint64_t offset = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
    Bytes out;
    append(out, header_of(ET_CORE, count));
    append(out, Elf64_Phdr{.p_type = PT_NOTE, .p_offset = offset, .p_filesz = notes.size()});
    offset += notes.size();
    for (const Segment &segment : segments) {
      append(out, Elf64_Phdr{.p_type = PT_LOAD,
                             .p_flags = segment.access,
                             .p_offset = offset,
                             .p_vaddr = segment.address,
                             .p_filesz = segment.stored.size(),
                             .p_memsz = segment.size_bytes});
      offset += segment.stored.size();
    }
    out.insert(out.end(), notes.begin(), notes.end());
    for (const Segment &segment : segments)
      out.insert(out.end(), segment.stored.begin(), segment.stored.end());
    return out;
  }

  // An executable of `page_count` pages, whose page i is full of the byte i; but for the first,
  // which has headers. The last page is of a segment that is written to.
  static Bytes executable(std::size_t page_count) {
    const std::uint64_t written_from = (page_count - 1) * kPage;
    Bytes out;
    append(out, header_of(ET_EXEC, 2));
    append(out, Elf64_Phdr{.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = written_from});
    append(out, Elf64_Phdr{.p_type = PT_LOAD,
                           .p_flags = PF_R | PF_W,
                           .p_offset = written_from,
                           .p_filesz = kPage});
    for (std::size_t at = out.size(); at < page_count * kPage; ++at)
      out.push_back(static_cast<std::byte>(at / kPage));
    return out;
  }

private:
  template <typename T> static void append(Bytes &out, const T &value) {
    const auto bytes = std::as_bytes(std::span{&value, 1});
    out.insert(out.end(), bytes.begin(), bytes.end());
  }

  static Elf64_Ehdr header_of(std::uint16_t type, std::size_t segment_count) {
    Elf64_Ehdr header{.e_type = type,
                      .e_machine = kMachine,
                      .e_version = EV_CURRENT,
                      .e_phoff = sizeof(Elf64_Ehdr),
                      .e_ehsize = sizeof(Elf64_Ehdr),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = static_cast<std::uint16_t>(segment_count)};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    return header;
  }

  static void append_note(Bytes &out, std::uint32_t type, const Bytes &description) {
    append(out, Elf64_Nhdr{5, static_cast<std::uint32_t>(description.size()), type});
    append(out, std::array<char, 8>{'C', 'O', 'R', 'E'});
    out.insert(out.end(), description.begin(), description.end());
    out.resize((out.size() + 3) / 4 * 4);
  }

  Bytes make_notes() const {
    Bytes notes, description;
    elf_prpsinfo process{};
    process.pr_pid = pid;
    append(description, process);
    append_note(notes, NT_PRPSINFO, description);
    if (entry != 0) {
      description.clear();
      append(description, Elf64_auxv_t{.a_type = AT_ENTRY, .a_un = {entry}});
      append_note(notes, NT_AUXV, description);
    }
    if (!files.empty()) {
      description.clear();
      append(description, std::uint64_t{files.size()});
      append(description, kPage);
      for (const File &file : files)
        append(description, std::array{file.address, file.address + file.size_bytes, file.page});
      for (const File &file : files) {
        const auto name = std::as_bytes(std::span{file.path.c_str(), file.path.size() + 1});
        description.insert(description.end(), name.begin(), name.end());
      }
      append_note(notes, NT_FILE, description);
    }
    return notes;
  }
};

} // namespace mapscope
