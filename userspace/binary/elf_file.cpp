// Parsing of ELF headers, and the few lookups that mapscope needs behind them.
#include "binary/elf_file.h"

#include <algorithm>
#include <numeric>

#include <elf.h>

namespace mapscope {
namespace {

// More than any linker writes; what a hostile file can make us allocate.
constexpr std::size_t kSegmentsMax = 4096;
constexpr std::size_t kSectionsMax = 65'535;
// One read_data: the largest structure that anybody asks for is a table of a few megabytes.
constexpr std::uint64_t kDataBytesMax = 64 << 20;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

Result<Machine> check_identity(const Elf64_Ehdr &header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return fail(Errc::unsupported, "a 32-bit executable; mapscope reads 64-bit ones");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB)
    return fail(Errc::unsupported, "a big-endian executable; mapscope reads x86-64 and AArch64");
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return fail(Errc::unsupported,
                "ELF type {} is neither an executable nor a shared object; link it first",
                header.e_type);
  switch (header.e_machine) {
  case EM_X86_64:
    return Machine::amd64;
  case EM_AARCH64:
    return Machine::arm64;
  default:
    return fail(Errc::unsupported, "ELF machine {}; mapscope reads x86-64 ({}) and AArch64 ({})",
                header.e_machine, EM_X86_64, EM_AARCH64);
  }
}

// The description of the first note of that owner and type in `notes`.
std::optional<std::span<const std::byte>> find_note(std::span<const std::byte> notes,
                                                    std::string_view owner, std::uint32_t type) {
  ByteReader rest{notes};
  while (auto note = rest.read<Elf64_Nhdr>()) {
    auto padded = [](std::uint32_t size) { return (std::uint64_t{size} + 3) & ~std::uint64_t{3}; };
    auto name = rest.window(0, note->n_namesz);
    auto description = rest.window(padded(note->n_namesz), note->n_descsz);
    if (!name || !description)
      break;
    if (note->n_type == type && as_text(name->bytes()).starts_with(owner))
      return description->bytes();
    auto next = rest.from(padded(note->n_namesz) + padded(note->n_descsz));
    if (!next)
      break;
    rest = *next;
  }
  return std::nullopt;
}

} // namespace

Result<ElfFile> ElfFile::parse(std::span<const std::byte> file) {
  if (!as_text(file).starts_with(std::string_view{ELFMAG, SELFMAG}))
    return fail(Errc::unsupported, "not an ELF file");
  ByteReader reader{file};
  auto header = TRY_WHILE(reader.read<Elf64_Ehdr>(), "ELF header");

  ElfFile elf{file};
  elf.machine_ = TRY(check_identity(header));
  elf.is_pie_ = header.e_type == ET_DYN;
  elf.entry_ = {header.e_entry};
  TRY_WHILE(elf.parse_segments(header.e_phoff, header.e_phentsize, header.e_phnum),
            "program headers");
  if (elf.segments_.empty())
    return fail(Errc::malformed, "no loadable segment: nothing in it could run");
  elf.sections_ = TRY_WHILE(read_elf_sections(file, header.e_shoff, header.e_shentsize,
                                              header.e_shnum, header.e_shstrndx),
                            "section headers");
  return elf;
}

Result<> ElfFile::parse_segments(std::uint64_t offset, std::size_t entry_size, std::size_t count) {
  if (count > kSegmentsMax)
    return fail(Errc::malformed, "{} program headers", count);
  if (count != 0 && entry_size != sizeof(Elf64_Phdr))
    return fail(Errc::malformed, "entries of {} bytes", entry_size);
  ByteReader file{file_};
  ByteReader table = TRY(file.window(offset, count * sizeof(Elf64_Phdr)));
  for (std::size_t i = 0; i < count; ++i) {
    auto header = TRY(table.read<Elf64_Phdr>());
    if (header.p_type != PT_LOAD && header.p_type != PT_DYNAMIC)
      continue;
    auto bytes = TRY_WHILE(file.window(header.p_offset, header.p_filesz), "segment {}", i).bytes();
    if (header.p_type == PT_DYNAMIC)
      dynamic_ = bytes;
    else if (header.p_memsz < header.p_filesz || header.p_vaddr + header.p_memsz < header.p_vaddr)
      return fail(Errc::malformed, "segment {} is [{:#x}, +{:#x}) with {:#x} bytes in the file", i,
                  header.p_vaddr, header.p_memsz, header.p_filesz);
    else
      segments_.push_back({.range = {{header.p_vaddr}, header.p_memsz},
                           .offset = header.p_offset,
                           .bytes = bytes,
                           .is_writable = (header.p_flags & PF_W) != 0});
  }
  return find_relocations();
}

Result<std::vector<ElfSection>> read_elf_sections(std::span<const std::byte> bytes,
                                                  std::uint64_t offset, std::size_t entry_size,
                                                  std::size_t count, std::size_t names_index) {
  std::vector<ElfSection> sections;
  if (count == 0) // removed by `sstrip` and the like: the program runs without them
    return sections;
  if (count > kSectionsMax || entry_size != sizeof(Elf64_Shdr))
    return fail(Errc::malformed, "{} entries of {} bytes", count, entry_size);
  ByteReader file{bytes};
  ByteReader table = TRY(file.window(offset, count * sizeof(Elf64_Shdr)));
  auto names_header = TRY(table.read_at<Elf64_Shdr>(names_index * sizeof(Elf64_Shdr)));
  ByteReader names = TRY_WHILE(file.window(names_header.sh_offset, names_header.sh_size), "names");
  for (std::size_t i = 0; i < count; ++i) {
    auto header = TRY(table.read<Elf64_Shdr>());
    ElfSection section{.name = TRY_WHILE(names.string_at(header.sh_name), "name of section {}", i),
                       .type = header.sh_type,
                       .flags = header.sh_flags,
                       .range = {{header.sh_addr}, header.sh_size},
                       .offset = header.sh_offset,
                       .link = header.sh_link,
                       .bytes = {}};
    if (header.sh_type != SHT_NOBITS && header.sh_type != SHT_NULL)
      section.bytes =
          TRY_WHILE(file.window(header.sh_offset, header.sh_size), "section {}", section.name)
              .bytes();
    sections.push_back(section);
  }
  return sections;
}

// DT_RELA, as the dynamic loader finds it: section headers may be gone. Compact relocations
// (DT_RELR) need no care, since they keep the link-time pointer in place.
Result<> ElfFile::find_relocations() {
  std::uint64_t address = 0;
  std::uint64_t size_bytes = 0;
  ByteReader dynamic{dynamic_};
  while (auto entry = dynamic.read<Elf64_Dyn>()) {
    if (entry->d_tag == DT_NULL)
      break;
    if (entry->d_tag == DT_RELA)
      address = entry->d_un.d_ptr;
    else if (entry->d_tag == DT_RELASZ)
      size_bytes = entry->d_un.d_val;
  }
  if (size_bytes == 0)
    return {};
  relocations_ = TRY_WHILE(raw({{address}, size_bytes}), "relocation table");

  // Go's own linker sorts by address and GNU ld moves the relative ones to the front; only
  // the rest, or another linker, costs an index.
  const auto count = relocations_.size() / sizeof(Elf64_Rela);
  bool sorted = true;
  for (std::size_t i = 1; i < count && sorted; ++i)
    sorted = relocation(i - 1).address <= relocation(i).address;
  if (!sorted) {
    relocation_order_.resize(count);
    std::iota(relocation_order_.begin(), relocation_order_.end(), 0U);
    std::ranges::sort(relocation_order_, {},
                      [&](std::uint32_t i) { return relocation(i).address; });
  }
  return {};
}

ElfFile::Relocation ElfFile::relocation(std::size_t index) const {
  Elf64_Rela entry;
  std::memcpy(&entry, relocations_.data() + index * sizeof(entry), sizeof(entry));
  const auto relative = machine_ == Machine::amd64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE;
  return {.address = {entry.r_offset},
          .addend = static_cast<std::uint64_t>(entry.r_addend),
          .is_relative = ELF64_R_TYPE(entry.r_info) == static_cast<std::uint32_t>(relative)};
}

std::size_t ElfFile::first_relocation_from(ElfAddress address) const {
  std::size_t low = 0;
  std::size_t high = relocations_.size() / sizeof(Elf64_Rela);
  while (low < high) {
    auto middle = low + (high - low) / 2;
    if (sorted_relocation(middle).address < address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

ElfFile::Relocation ElfFile::sorted_relocation(std::size_t index) const {
  return relocation(relocation_order_.empty() ? index : relocation_order_[index]);
}

const ElfSection *ElfFile::find_section(std::string_view name) const {
  auto found = std::ranges::find(sections_, name, &ElfSection::name);
  return found == sections_.end() ? nullptr : &*found;
}

std::optional<ElfSymbol> ElfFile::find_symbol(std::string_view name) const {
  const ElfSection *table = find_section(".symtab");
  if (table == nullptr || table->link >= sections_.size())
    return std::nullopt;
  ByteReader names{sections_[table->link].bytes};
  ByteReader symbols{table->bytes};
  while (auto symbol = symbols.read<Elf64_Sym>()) {
    auto found = names.window(symbol->st_name, name.size() + 1);
    if (found && as_text(found->bytes()).starts_with(name) && found->bytes().back() == std::byte{0})
      return ElfSymbol{
          as_text(found->bytes()).substr(0, name.size()), {symbol->st_value}, symbol->st_size};
  }
  return std::nullopt;
}

std::string ElfFile::build_id() const {
  constexpr std::uint32_t kGoBuildId = 4; // cmd/internal/buildid: ELF_NOTE_GOBUILDID_TAG
  if (const auto *section = find_section(".note.gnu.build-id"))
    if (auto id = find_note(section->bytes, "GNU", NT_GNU_BUILD_ID)) {
      std::string hex;
      for (std::byte byte : id->first(std::min<std::size_t>(id->size(), 64)))
        hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
      return hex;
    }
  if (const auto *section = find_section(".note.go.buildid"))
    if (auto id = find_note(section->bytes, "Go", kGoBuildId))
      return std::string{as_text(id->first(std::min<std::size_t>(id->size(), 256)))};
  return {};
}

const ElfSegment *ElfFile::segment_of(ElfAddress address) const {
  auto found = std::ranges::find_if(
      segments_, [&](const ElfSegment &segment) { return segment.range.contains(address); });
  return found == segments_.end() ? nullptr : &*found;
}

Result<FileOffset> ElfFile::file_offset(ElfAddress address) const {
  const ElfSegment *segment = segment_of(address);
  if (segment == nullptr)
    return fail(Errc::not_found, "no segment has the address {:#x}", address.value);
  auto within = address.value - segment->range.start.value;
  if (within >= segment->bytes.size())
    return fail(Errc::not_found, "the address {:#x} is zero-filled memory, not in the file",
                address.value);
  return FileOffset{segment->offset + within};
}

Result<std::span<const std::byte>> ElfFile::raw_from(ElfAddress address) const {
  const ElfSegment *segment = segment_of(address);
  if (segment == nullptr)
    return fail(Errc::not_found, "no segment has the address {:#x}", address.value);
  return TRY(ByteReader{segment->bytes}.from(address.value - segment->range.start.value)).bytes();
}

Result<std::span<const std::byte>> ElfFile::raw(ElfRange range) const {
  auto bytes = TRY(raw_from(range.start));
  return TRY(ByteReader{bytes}.window(0, range.size_bytes)).bytes();
}

Result<std::vector<std::byte>> ElfFile::read_data(ElfRange range) const {
  const ElfSegment *segment = segment_of(range.start);
  if (segment == nullptr)
    return fail(Errc::not_found, "no segment has the address {:#x}", range.start.value);
  const auto within = range.start.value - segment->range.start.value;
  if (range.size_bytes > kDataBytesMax || range.size_bytes > segment->range.size_bytes - within)
    return fail(Errc::malformed, "[{:#x}, +{:#x}) leaves its segment", range.start.value,
                range.size_bytes);
  std::vector<std::byte> data(range.size_bytes);
  if (within < segment->bytes.size()) {
    auto bytes = segment->bytes.subspan(within);
    std::ranges::copy(bytes.first(std::min(bytes.size(), data.size())), data.begin());
  }
  const auto count = relocations_.size() / sizeof(Elf64_Rela);
  for (auto i = first_relocation_from(range.start); i < count; ++i) {
    const auto entry = sorted_relocation(i);
    const auto at = entry.address.value - range.start.value;
    if (at >= data.size())
      break;
    if (entry.is_relative && data.size() - at >= sizeof(entry.addend))
      std::memcpy(data.data() + at, &entry.addend, sizeof(entry.addend));
  }
  return data;
}

Result<std::uint64_t> ElfFile::read_pointer(ElfAddress address) const {
  auto data = TRY(read_data({address, sizeof(std::uint64_t)}));
  return ByteReader{data}.read<std::uint64_t>();
}

std::vector<ElfAddress> ElfFile::pointers_to(ElfAddress target) const {
  std::vector<ElfAddress> found;
  const auto count = relocations_.size() / sizeof(Elf64_Rela);
  for (std::size_t i = 0; i < count; ++i)
    if (auto entry = relocation(i); entry.is_relative && entry.addend == target.value)
      found.push_back(entry.address);
  for (const ElfSegment &segment : segments_) {
    if (!segment.is_writable)
      continue;
    for (std::size_t at = 0; segment.bytes.size() - at >= sizeof(std::uint64_t);
         at += sizeof(std::uint64_t)) {
      std::uint64_t word;
      std::memcpy(&word, segment.bytes.data() + at, sizeof(word));
      ElfAddress place{segment.range.start.value + at};
      if (word == target.value && std::ranges::find(found, place) == found.end())
        found.push_back(place);
    }
  }
  return found;
}

} // namespace mapscope
