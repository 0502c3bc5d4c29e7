// A small ELF file around the sections that matter.
#include "binary/debug_information.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <elf.h>

namespace mapscope {
namespace {

// Go until 1.18 compressed in the older way, which is told by the name ".zdebug_info".
bool describes_types(std::string_view section) {
  constexpr std::string_view kSuffixes[] = {"info", "abbrev", "str", "str_offsets", "line_str"};
  constexpr std::string_view kPrefixes[] = {".debug_", ".zdebug_"};
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) {
    return section.starts_with(prefix) &&
           std::ranges::find(kSuffixes, section.substr(prefix.size())) != std::end(kSuffixes);
  });
}

template <typename T> void append(std::vector<char> &image, const T &value) {
  const char *bytes = reinterpret_cast<const char *>(&value);
  image.insert(image.end(), bytes, bytes + sizeof value);
}

// An ELF file of these sections alone: header, contents, section headers, as libelf reads it.
std::vector<char> extract_sections(const ElfFile &elf) {
  constexpr std::size_t kAlignment = 8;
  std::vector<char> image(sizeof(Elf64_Ehdr));
  std::vector<Elf64_Shdr> headers(1); // the first section is none, by the format
  std::string names(1, '\0');
  auto add = [&](std::string_view name, std::uint32_t type, std::uint64_t flags, auto bytes) {
    image.resize((image.size() + kAlignment - 1) / kAlignment * kAlignment);
    Elf64_Shdr header{};
    header.sh_name = static_cast<Elf64_Word>(names.size());
    header.sh_type = type;
    header.sh_flags = flags;
    header.sh_offset = image.size();
    header.sh_size = bytes.size();
    header.sh_addralign = 1;
    headers.push_back(header);
    names.append(name).push_back('\0');
    const char *data = reinterpret_cast<const char *>(bytes.data());
    image.insert(image.end(), data, data + bytes.size());
  };
  for (const ElfSection &section : elf.sections())
    if (describes_types(section.name))
      add(section.name, SHT_PROGBITS, section.flags & SHF_COMPRESSED, section.bytes);
  names.reserve(names.size() + sizeof ".shstrtab"); // it is copied while its own name goes in
  add(".shstrtab", SHT_STRTAB, 0, names + ".shstrtab" + '\0');

  image.resize((image.size() + kAlignment - 1) / kAlignment * kAlignment);
  Elf64_Ehdr file{};
  std::memcpy(file.e_ident, ELFMAG, SELFMAG);
  file.e_ident[EI_CLASS] = ELFCLASS64;
  file.e_ident[EI_DATA] = ELFDATA2LSB;
  file.e_ident[EI_VERSION] = EV_CURRENT;
  file.e_type = ET_EXEC;
  file.e_machine = elf.machine() == Machine::amd64 ? EM_X86_64 : EM_AARCH64;
  file.e_version = EV_CURRENT;
  file.e_ehsize = sizeof(Elf64_Ehdr);
  file.e_shentsize = sizeof(Elf64_Shdr);
  file.e_shoff = image.size();
  file.e_shnum = static_cast<Elf64_Half>(headers.size());
  file.e_shstrndx = static_cast<Elf64_Half>(headers.size() - 1);
  std::memcpy(image.data(), &file, sizeof file);
  for (const Elf64_Shdr &header : headers)
    append(image, header);
  return image;
}

} // namespace

Result<DebugInformation> DebugInformation::open(const ElfFile &elf) {
  if (!std::ranges::any_of(elf.sections(),
                           [](const ElfSection &section) { return describes_types(section.name); }))
    return fail(Errc::not_found, "the binary has no DWARF");
  elf_version(EV_CURRENT);
  DebugInformation opened;
  opened.image_ = extract_sections(elf);
  opened.elf_.reset(elf_memory(opened.image_.data(), opened.image_.size()));
  if (opened.elf_)
    opened.dwarf_.reset(dwarf_begin_elf(opened.elf_.get(), DWARF_C_READ, nullptr));
  if (!opened.dwarf_)
    return fail(Errc::malformed, "reading DWARF: {}", dwarf_errmsg(-1));
  return opened;
}

} // namespace mapscope
