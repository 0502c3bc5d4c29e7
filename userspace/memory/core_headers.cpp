// ELF as far as core files need it. Source: elf(5), core(5); Linux 6.1 fs/binfmt_elf.c
// (elf_core_dump, fill_note_info, fill_files_note), gdb/linux-tdep.c for those of gcore.
#include "memory/core_headers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include <elf.h>
#include <sys/procfs.h>

#include "base/byte_reader.h"
#include "flow/binary_facts.h"

namespace mapscope {
namespace {

// A process may have as many mappings where somebody raised vm.max_map_count; 56 bytes each.
constexpr std::uint64_t kHeadersMax = 1 << 20;
constexpr std::uint64_t kNotesMax = 1 << 20; // some five for each thread
constexpr std::uint64_t kNoteBytesMax = 64 << 20;
constexpr std::size_t kPartsMax = 64; // linkers make two or three

constexpr std::uint16_t kThisMachine = this_machine() == Machine::amd64 ? EM_X86_64 : EM_AARCH64;

template <typename T> Result<T> read_struct(ByteSource &file, std::uint64_t offset) {
  T value;
  if (!TRY(file.read_into(offset, std::as_writable_bytes(std::span{&value, 1}))))
    return fail(Errc::malformed, "it ends before byte {}", offset + sizeof(T));
  return value;
}

Result<Elf64_Ehdr> read_elf_header(ByteSource &file) {
  std::array<unsigned char, EI_NIDENT> identity{};
  const bool has_one = TRY(file.read_into(0, std::as_writable_bytes(std::span{identity})));
  if (!has_one || std::memcmp(identity.data(), ELFMAG, SELFMAG) != 0)
    return fail(Errc::malformed, "not an ELF file; one that is compressed has to be unpacked");
  if (identity[EI_CLASS] != ELFCLASS64 || identity[EI_DATA] != ELFDATA2LSB)
    return fail(Errc::unsupported, "not of a 64-bit little-endian machine");
  return read_struct<Elf64_Ehdr>(file, 0);
}

// The program headers. A file with 65,535 or more says their number in its first section header.
Result<std::vector<Elf64_Phdr>> read_program_headers(ByteSource &file, const Elf64_Ehdr &header) {
  std::uint64_t count = header.e_phnum;
  if (count == PN_XNUM)
    count = TRY(read_struct<Elf64_Shdr>(file, header.e_shoff)).sh_info;
  if (count > kHeadersMax || (count != 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return fail(Errc::malformed, "{} program headers of {} bytes", count, header.e_phentsize);
  const std::uint64_t size_bytes = count * sizeof(Elf64_Phdr);
  if (header.e_phoff > file.size_bytes() || size_bytes > file.size_bytes() - header.e_phoff)
    return fail(Errc::malformed, "it ends within its program headers");
  std::vector<Elf64_Phdr> headers(count);
  if (!TRY(file.read_into(header.e_phoff, std::as_writable_bytes(std::span{headers}))))
    return fail(Errc::malformed, "it ends within its program headers");
  return headers;
}

// The notes of one PT_NOTE, in their order; each is read when it is looked at.
class Notes {
public:
  Notes(ByteSource &file, const Elf64_Phdr &header)
      : file_(file), at_(header.p_offset), end_(end_of(file, header)) {}

  struct Note {
    std::uint32_t type = 0;
    bool is_of_core = false; // the owner is "CORE"
    std::uint64_t offset = 0, size_bytes = 0;
  };

  // Absent: there are no more, or the rest makes no sense.
  Result<std::optional<Note>> next() {
    if (at_ > end_ || end_ - at_ < sizeof(Elf64_Nhdr))
      return std::nullopt;
    const auto header = TRY(read_struct<Elf64_Nhdr>(file_, at_));
    const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
    const std::uint64_t left = end_ - at_ - sizeof(header);
    const std::uint64_t name_bytes = padded(header.n_namesz);
    if (name_bytes > left || header.n_descsz > left - name_bytes)
      return std::nullopt;
    constexpr std::string_view kOwner{"CORE\0", 5};
    std::array<char, kOwner.size()> owner{};
    if (header.n_namesz == owner.size())
      (void)TRY(file_.read_into(at_ + sizeof(header), std::as_writable_bytes(std::span{owner})));
    const Note note{.type = header.n_type,
                    .is_of_core = std::string_view{owner.data(), owner.size()} == kOwner,
                    .offset = at_ + sizeof(header) + name_bytes,
                    .size_bytes = header.n_descsz};
    at_ = note.offset + padded(note.size_bytes);
    return note;
  }

private:
  static std::uint64_t end_of(const ByteSource &file, const Elf64_Phdr &header) {
    const std::uint64_t start = std::min<std::uint64_t>(header.p_offset, file.size_bytes());
    return start + std::min<std::uint64_t>(header.p_filesz, file.size_bytes() - start);
  }

  ByteSource &file_;
  std::uint64_t at_, end_;
};

// count, page size, then start, end and offset in pages of each, then their names.
Result<std::vector<MappedFile>> files_of(ByteReader note) {
  const auto count = TRY(note.read<std::uint64_t>());
  const auto page_bytes = TRY(note.read<std::uint64_t>());
  constexpr std::size_t kEntryBytes = 3 * sizeof(std::uint64_t);
  if (count > note.size() / kEntryBytes)
    return fail(Errc::malformed, "{} mapped files in {} bytes", count, note.size());
  ByteReader entries = TRY(note.window(0, count * kEntryBytes));
  ByteReader names = TRY(note.from(count * kEntryBytes));
  std::vector<MappedFile> files;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto start = TRY(entries.read<std::uint64_t>());
    const auto end = TRY(entries.read<std::uint64_t>());
    const auto page = TRY(entries.read<std::uint64_t>());
    const std::string_view name = TRY(names.string_at(0));
    names = TRY(names.from(name.size() + 1));
    std::uint64_t offset = 0;
    if (start < end && !__builtin_mul_overflow(page, page_bytes, &offset))
      files.push_back({{{start}, end - start}, offset, std::string{name}});
  }
  std::ranges::sort(files, {}, [](const MappedFile &file) { return file.range.start; });
  return files;
}

ProcessAddress entry_of(ByteReader note) {
  while (const auto item = note.read<Elf64_auxv_t>())
    if (item->a_type == AT_ENTRY)
      return {item->a_un.a_val};
  return {};
}

// Takes what is wanted of one note. What makes no sense is as if it were not there.
Result<> take(ByteSource &core, const Notes::Note &note, CoreHeaders &headers) {
  const bool is_wanted = note.type == NT_PRSTATUS || note.type == NT_PRPSINFO ||
                         note.type == NT_AUXV || note.type == NT_FILE;
  if (!note.is_of_core || !is_wanted || note.size_bytes > kNoteBytesMax)
    return {};
  ByteReader description{TRY(core.read(note.offset, note.size_bytes))};
  if (note.type == NT_PRPSINFO) {
    if (const auto process = description.read<elf_prpsinfo>())
      headers.pid = process->pr_pid;
  } else if (note.type == NT_PRSTATUS && headers.pid == 0) {
    // Of a thread, and so less to be believed; the first one is that which died.
    if (const auto thread = description.read<elf_prstatus>())
      headers.pid = thread->pr_pid;
  } else if (note.type == NT_AUXV) {
    headers.entry = entry_of(description);
  } else if (note.type == NT_FILE) {
    if (auto files = files_of(description))
      headers.files = *std::move(files);
  }
  return {};
}

// `left`: how many may still be looked at.
Result<> read_notes(ByteSource &core, const Elf64_Phdr &segment, std::uint64_t &left,
                    CoreHeaders &headers) {
  Notes notes{core, segment};
  for (; left > 0; --left) {
    const auto note = TRY(notes.next());
    if (!note)
      break;
    TRY(take(core, *note, headers));
  }
  return {};
}

} // namespace

Result<CoreHeaders> read_core_headers(ByteSource &core) {
  const Elf64_Ehdr header = TRY(read_elf_header(core));
  if (header.e_type != ET_CORE)
    return fail(Errc::malformed, "an ELF file of type {} and not a core file", header.e_type);
  if (header.e_machine != kThisMachine)
    return fail(Errc::unsupported, "of ELF machine {}; this mapscope is built for {}",
                header.e_machine, kThisMachine);
  CoreHeaders headers;
  std::uint64_t notes_left = kNotesMax;
  for (const Elf64_Phdr &segment : TRY(read_program_headers(core, header))) {
    if (segment.p_type == PT_NOTE)
      TRY(read_notes(core, segment, notes_left, headers));
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
      continue;
    if (segment.p_vaddr + segment.p_memsz < segment.p_vaddr)
      return fail(Errc::malformed, "a segment at {:#x} has {:#x} bytes", segment.p_vaddr,
                  segment.p_memsz);
    headers.segments.push_back({.range = {{segment.p_vaddr}, segment.p_memsz},
                                .stored_bytes = std::min(segment.p_filesz, segment.p_memsz),
                                .offset = segment.p_offset,
                                .is_readable = (segment.p_flags & PF_R) != 0,
                                .is_writable = (segment.p_flags & PF_W) != 0,
                                .is_executable = (segment.p_flags & PF_X) != 0});
  }
  std::ranges::stable_sort(headers.segments, {},
                           [](const CoreSegment &segment) { return segment.range.start; });
  return headers;
}

Result<std::vector<FilePart>> unchanging_parts(ByteSource &executable) {
  const Elf64_Ehdr header = TRY(read_elf_header(executable));
  std::vector<FilePart> parts;
  for (const Elf64_Phdr &segment : TRY(read_program_headers(executable, header)))
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0)
      parts.push_back({segment.p_offset, segment.p_filesz});
  if (parts.size() > kPartsMax)
    return fail(Errc::malformed, "an executable of {} segments", parts.size());
  return parts;
}

} // namespace mapscope
