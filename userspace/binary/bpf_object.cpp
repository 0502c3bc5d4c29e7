// Sections of an object file; maps as libbpf understands them (src/libbpf.c: parse_btf_map_def,
// bpf_object__init_global_data_maps, and before 1.0 bpf_object__init_user_maps).
#include "binary/bpf_object.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <elf.h>

#include "base/byte_reader.h"
#include "binary/btf_maps.h"
#include "binary/elf_file.h"

namespace mapscope {
namespace {

// What an object can make us keep; the largest programs that are known have some hundred maps.
constexpr std::size_t kMapsMax = 65'536;

Result<Elf64_Ehdr> read_header(std::span<const std::byte> file) {
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    return fail(Errc::unsupported, "not an ELF file");
  const auto header = TRY_WHILE(ByteReader{file}.read_at<Elf64_Ehdr>(0), "ELF header");
  if (header.e_ident[EI_DATA] == ELFDATA2MSB)
    return fail(
        Errc::unsupported,
        "a big-endian object; mapscope reads little-endian ones: compile with -target bpfel");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return fail(Errc::unsupported, "ELF class {} with byte order {}; BPF objects are 64-bit",
                header.e_ident[EI_CLASS], header.e_ident[EI_DATA]);
  if (header.e_machine != EM_BPF)
    return fail(Errc::unsupported, "ELF machine {}, not BPF ({})", header.e_machine, EM_BPF);
  if (header.e_type != ET_REL)
    return fail(Errc::unsupported, "ELF type {}; a BPF object is relocatable ({})", header.e_type,
                ET_REL);
  return header;
}

bool is_section_or_part(std::string_view name, std::string_view wanted, char separator) {
  return name == wanted || (name.starts_with(wanted) && name.size() > wanted.size() &&
                            name[wanted.size()] == separator);
}

// One pass over the symbols, since a file may have many sections and many symbols.
struct SectionSymbol {
  std::string name;
  std::uint64_t offset = 0;
};
using SymbolsBySection = std::map<std::size_t, std::vector<SectionSymbol>>;

Result<SymbolsBySection> symbols_of(std::span<const ElfSection> sections,
                                    const std::vector<bool> &wanted) {
  SymbolsBySection found;
  const auto table = std::ranges::find(sections, std::uint32_t{SHT_SYMTAB}, &ElfSection::type);
  if (table == sections.end())
    return found;
  if (table->link >= sections.size())
    return fail(Errc::malformed, "symbols name section {} of {}", table->link, sections.size());
  const ByteReader names{sections[table->link].bytes};
  ByteReader symbols{table->bytes};
  std::size_t count = 0;
  while (symbols.size() >= sizeof(Elf64_Sym)) {
    const auto symbol = TRY(symbols.read<Elf64_Sym>());
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx >= wanted.size() || !wanted[symbol.st_shndx] || type == STT_SECTION ||
        type == STT_FILE)
      continue;
    if (++count > kMapsMax)
      return fail(Errc::malformed, "more than {} maps", kMapsMax);
    const std::string_view name = TRY_WHILE(names.string_at(symbol.st_name, 512), "name of a map");
    found[symbol.st_shndx].push_back({std::string{name}, symbol.st_value});
  }
  for (auto &[section, list] : found)
    std::ranges::stable_sort(list, {}, &SectionSymbol::offset);
  return found;
}

// struct bpf_map_def of libbpf before 1.0; other loaders put more fields behind these.
struct LegacyDefinition {
  std::uint32_t type, key_bytes, value_bytes, max_entries, flags;
};

Result<> add_legacy_maps(const ElfSection &section, std::span<const SectionSymbol> symbols,
                         BpfObjectFacts &facts) {
  for (const SectionSymbol &symbol : symbols) {
    const auto definition =
        TRY_WHILE(ByteReader{section.bytes}.read_at<LegacyDefinition>(symbol.offset),
                  "the definition of map {}", symbol.name);
    facts.maps.push_back({.name = symbol.name,
                          .definition = BpfMapDefinition::legacy,
                          .type_number = definition.type,
                          .key_bytes = definition.key_bytes,
                          .value_bytes = definition.value_bytes,
                          .max_entries = definition.max_entries,
                          .flags = definition.flags});
  }
  return {};
}

void add_global_data(const ElfSection &section, BpfObjectFacts &facts) {
  constexpr std::uint32_t kArray = 2, kReadOnlyProgram = 1U << 7, kMappable = 1U << 10;
  const bool is_data = std::ranges::any_of(
      std::initializer_list<std::string_view>{".data", ".rodata", ".bss"},
      [&](std::string_view name) { return is_section_or_part(section.name, name, '.'); });
  const std::uint64_t bytes = section.range.size_bytes;
  if (!is_data || (section.flags & SHF_ALLOC) == 0 || bytes == 0)
    return;
  const bool is_constant = section.name.starts_with(".rodata");
  facts.maps.push_back(
      {.name = std::string{section.name},
       .definition = BpfMapDefinition::global_data,
       .type_number = kArray,
       .key_bytes = 4,
       // A section may be larger than any map; what counts is that it is too large.
       .value_bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, UINT32_MAX)),
       .max_entries = 1,
       .flags = kMappable | (is_constant ? kReadOnlyProgram : 0)});
}

} // namespace

bool is_big_endian_object(std::span<const std::byte> beginning) {
  return beginning.size() > EI_DATA && beginning[EI_DATA] == std::byte{ELFDATA2MSB};
}

bool looks_like_bpf_object(std::span<const std::byte> beginning) {
  constexpr std::size_t kMachineAt = 18;
  if (beginning.size() < kMachineAt + 2 || std::memcmp(beginning.data(), ELFMAG, SELFMAG) != 0)
    return false;
  const auto low = std::to_integer<unsigned>(beginning[kMachineAt]);
  const auto high = std::to_integer<unsigned>(beginning[kMachineAt + 1]);
  return (is_big_endian_object(beginning) ? low << 8 | high : high << 8 | low) == EM_BPF;
}

Result<BpfObjectFacts> read_bpf_object(std::span<const std::byte> file, std::string path) {
  const Elf64_Ehdr header = TRY(read_header(file));
  const std::vector<ElfSection> sections =
      TRY_WHILE(read_elf_sections(file, header.e_shoff, header.e_shentsize, header.e_shnum,
                                  header.e_shstrndx),
                "section headers");
  BpfObjectFacts facts{.path = std::move(path)};
  auto find = [&](std::string_view name) {
    return std::ranges::find(sections, name, &ElfSection::name);
  };
  const auto btf = find(".BTF");
  const auto maps = find(".maps");
  if (btf != sections.end() && maps != sections.end())
    facts.maps = TRY_WHILE(read_btf_maps(btf->bytes), "maps in .BTF");

  std::vector<bool> wanted(sections.size());
  for (std::size_t i = 0; i < sections.size(); ++i)
    wanted[i] = is_section_or_part(sections[i].name, "maps", '/') ||
                (btf == sections.end() && sections[i].name == ".maps");
  const SymbolsBySection symbols = TRY_WHILE(symbols_of(sections, wanted), "symbols");
  for (const auto &[index, list] : symbols)
    if (sections[index].name == ".maps")
      for (const SectionSymbol &symbol : list)
        facts.undescribed_maps.push_back(symbol.name);
    else
      TRY_WHILE(add_legacy_maps(sections[index], list, facts), "section {}", sections[index].name);
  for (const ElfSection &section : sections)
    add_global_data(section, facts);
  return facts;
}

} // namespace mapscope
