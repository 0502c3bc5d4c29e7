// An ELF executable as bounds-checked views on its bytes: segments, sections, symbols,
// notes, and data as the loader would leave it (relative relocations applied on reading).
//
// ELF64, little endian, x86-64 and AArch64: nothing else carries a Go program that mapscope
// reads. Everything is looked up when asked for; nothing is copied from the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/byte_reader.h"
#include "base/error.h"
#include "flow/binary_facts.h"

namespace mapscope {

struct ElfSection {
  std::string_view name;
  std::uint32_t type = 0;  // SHT_*
  std::uint64_t flags = 0; // SHF_*
  ElfRange range;          // start 0 where the section is not loaded
  std::uint64_t offset = 0;
  std::uint32_t link = 0;           // sh_link: index of a companion section
  std::span<const std::byte> bytes; // in the file; empty for SHT_NOBITS
};

// One PT_LOAD. `range` is what it occupies in memory, `bytes` what the file has of it (the
// rest is zero), starting at `offset`.
struct ElfSegment {
  ElfRange range;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
  bool is_writable = false;
};

struct ElfSymbol {
  std::string_view name;
  ElfAddress address;
  std::uint64_t size_bytes = 0;
};

// The section headers at `offset` of a file, as any ELF64 file has them. Errors: malformed.
Result<std::vector<ElfSection>> read_elf_sections(std::span<const std::byte> file,
                                                  std::uint64_t offset, std::size_t entry_size,
                                                  std::size_t count, std::size_t names_index);

class ElfFile {
public:
  // `file` must outlive the result. Errors: malformed (not ELF, or cut short), unsupported
  // (32 bit, big endian, another machine, not an executable or shared object).
  static Result<ElfFile> parse(std::span<const std::byte> file);

  Machine machine() const { return machine_; }
  bool is_pie() const { return is_pie_; } // linked to be loaded anywhere (ET_DYN)
  ElfAddress entry() const { return entry_; }
  std::uint64_t size_bytes() const { return file_.size(); }

  std::span<const ElfSegment> segments() const { return segments_; }
  std::span<const ElfSection> sections() const { return sections_; } // empty: no section headers
  const ElfSection *find_section(std::string_view name) const;

  // The first symbol of that name in .symtab; absent in a stripped file.
  std::optional<ElfSymbol> find_symbol(std::string_view name) const;

  // Hex of NT_GNU_BUILD_ID, else Go's own build id (text), else empty.
  std::string build_id() const;

  // not_found: no segment has this address in the file (its zero-filled end has no offset).
  Result<FileOffset> file_offset(ElfAddress address) const;

  // The bytes of the file behind [address, +size), which must lie in one segment. As linked:
  // pointers in a position-independent executable may still lack their relocation.
  Result<std::span<const std::byte>> raw(ElfRange range) const;

  // All bytes of the file from `address` to the end of its segment. As linked.
  Result<std::span<const std::byte>> raw_from(ElfAddress address) const;

  // A copy of [address, +size) as the loader leaves it at load bias 0: relative relocations
  // applied, bytes that the file does not have zero.
  Result<std::vector<std::byte>> read_data(ElfRange range) const;

  // One pointer, as read_data.
  Result<std::uint64_t> read_pointer(ElfAddress address) const;

  // Every aligned place in writable data that holds a pointer to `target`, after relocation.
  std::vector<ElfAddress> pointers_to(ElfAddress target) const;

private:
  struct Relocation {
    ElfAddress address;
    std::uint64_t addend = 0;
    bool is_relative = false; // the pointer at `address` becomes load bias + addend
  };

  explicit ElfFile(std::span<const std::byte> file) : file_(file) {}

  Result<> parse_segments(std::uint64_t offset, std::size_t entry_size, std::size_t count);
  Result<> find_relocations();
  Relocation relocation(std::size_t index) const;        // in the order of the file
  Relocation sorted_relocation(std::size_t index) const; // in the order of addresses
  std::size_t first_relocation_from(ElfAddress address) const;
  const ElfSegment *segment_of(ElfAddress address) const;

  std::span<const std::byte> file_;
  Machine machine_ = Machine::amd64;
  bool is_pie_ = false;
  ElfAddress entry_;
  std::vector<ElfSegment> segments_;
  std::vector<ElfSection> sections_;
  std::span<const std::byte> dynamic_; // PT_DYNAMIC

  // The relocation table (DT_RELA), and, only where a linker left it unsorted, the order of
  // its entries by address.
  std::span<const std::byte> relocations_;
  std::vector<std::uint32_t> relocation_order_;
};

} // namespace mapscope
