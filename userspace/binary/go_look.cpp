// Marks that a Go program bears: notes, names of sections, the magic of its build information.
#include "binary/go_look.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <elf.h>

#include "binary/runtime_version.h"

namespace mapscope {
namespace {

constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr std::size_t kProgramHeadersMax = 4096; // as ElfFile
constexpr std::size_t kSectionsMax = 4096;       // with more it is left to the parser
constexpr std::size_t kNameBytesMax = 64 << 10;  // of all sections; the same
constexpr std::size_t kNoteBytesMax = 4096;
// Of writable data: where section headers name no build information, and where there are none, as
// `sstrip` leaves a file.
constexpr std::uint64_t kDataBytesMax = 1 << 20;
constexpr std::uint64_t kBareDataBytesMax = 64 << 20;

// Reads what the file has of [offset, +bytes.size()). Errors: system.
Result<std::span<const std::byte>> read_at(const Fd &file, std::uint64_t offset,
                                           std::span<std::byte> bytes) {
  std::size_t have = 0;
  while (have < bytes.size()) {
    // Beyond the largest offset there is no file.
    if (offset > static_cast<std::uint64_t>(INT64_MAX) - bytes.size())
      break;
    const ssize_t size = ::pread(file.get(), bytes.data() + have, bytes.size() - have,
                                 static_cast<off_t>(offset + have));
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return std::unexpected(Error::from_errno("reading an executable"));
    if (size == 0)
      break;
    have += static_cast<std::size_t>(size);
  }
  return bytes.first(have);
}

// Absent: the file has not that much.
template <typename T> Result<std::optional<T>> read_value(const Fd &file, std::uint64_t offset) {
  T value{};
  const auto bytes = TRY(read_at(file, offset, std::as_writable_bytes(std::span{&value, 1})));
  return bytes.size() == sizeof(T) ? std::optional{value} : std::nullopt;
}

// `count` entries of a table; fewer where the file ends.
template <typename T>
Result<std::vector<T>> read_table(const Fd &file, std::uint64_t offset, std::size_t count) {
  std::vector<T> table(count);
  const auto bytes = TRY(read_at(file, offset, std::as_writable_bytes(std::span{table})));
  table.resize(bytes.size() / sizeof(T));
  return table;
}

bool is_readable(const Elf64_Ehdr &header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         (header.e_type == ET_EXEC || header.e_type == ET_DYN) &&
         (header.e_machine == EM_X86_64 || header.e_machine == EM_AARCH64) &&
         header.e_phnum <= kProgramHeadersMax;
}

// Go's linker writes a note with its build id: {4, n, 4} "Go\0\0" ...
Result<bool> has_go_note(const Fd &file, const Elf64_Phdr &segment) {
  constexpr std::string_view kOwner{"Go\0\0", 4};
  std::array<std::byte, kNoteBytesMax> room;
  const auto size = std::min<std::uint64_t>(segment.p_filesz, room.size());
  const auto bytes = TRY(read_at(file, segment.p_offset, std::span{room}.first(size)));
  const std::string_view text{reinterpret_cast<const char *>(bytes.data()), bytes.size()};
  for (std::size_t at = text.find(kOwner); at != text.npos; at = text.find(kOwner, at + 1))
    if (at >= sizeof(Elf64_Nhdr) && at % 4 == 0)
      return true;
  return false;
}

// Whether a section has the name of one that only Go programs have. What breaks the format names
// none: the parser refuses it.
Result<bool> has_go_section(const Fd &file, const Elf64_Ehdr &header) {
  if (header.e_shentsize != sizeof(Elf64_Shdr))
    return false;
  if (header.e_shnum > kSectionsMax)
    return true;
  const auto sections = TRY(read_table<Elf64_Shdr>(file, header.e_shoff, header.e_shnum));
  if (header.e_shstrndx >= sections.size())
    return false;
  const Elf64_Shdr &names_section = sections[header.e_shstrndx];
  if (names_section.sh_size > kNameBytesMax)
    return true;
  const auto names = TRY(read_table<char>(file, names_section.sh_offset, names_section.sh_size));
  const std::string_view text{names.data(), names.size()};
  return std::ranges::any_of(sections, [&](const Elf64_Shdr &section) {
    if (section.sh_name >= text.size())
      return false;
    const auto rest = text.substr(section.sh_name);
    const auto name = rest.substr(0, rest.find('\0'));
    return name == ".go.buildinfo" || name == ".gopclntab" || name == ".data.rel.ro.gopclntab";
  });
}

// Whether a text is in [offset, +size), read in pieces that overlap by its length.
Result<bool> has_text(const Fd &file, std::uint64_t offset, std::uint64_t size,
                      std::string_view wanted) {
  std::vector<std::byte> room(64 << 10);
  for (std::uint64_t at = 0; at < size;) {
    const auto piece = TRY(read_at(
        file, offset + at, std::span{room}.first(std::min<std::uint64_t>(room.size(), size - at))));
    const std::string_view text{reinterpret_cast<const char *>(piece.data()), piece.size()};
    if (text.find(wanted) != text.npos)
      return true;
    if (piece.size() <= wanted.size())
      return false; // the end of the file
    at += piece.size() - (piece.size() < room.size() ? 0 : wanted.size());
  }
  return false;
}

// Whether a text is in the segments with these flags, or may be: those without section headers are
// left to the parser where they are more than is worth reading here.
Result<bool> has_in_segments(const Fd &file, std::span<const Elf64_Phdr> segments, Elf64_Word flags,
                             std::string_view wanted, bool is_bare) {
  std::uint64_t left = is_bare ? kBareDataBytesMax : kDataBytesMax;
  for (const Elf64_Phdr &segment : segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & flags) != flags)
      continue;
    const auto size = std::min(segment.p_filesz, left);
    if (TRY(has_text(file, segment.p_offset, size, wanted)))
      return true;
    left -= size;
    if (size < segment.p_filesz)
      return is_bare;
  }
  return false;
}

} // namespace

Result<bool> may_be_go(const Fd &file) {
  const auto header = TRY(read_value<Elf64_Ehdr>(file, 0));
  if (!header || !is_readable(*header) || header->e_phentsize != sizeof(Elf64_Phdr))
    return false;
  const auto segments = TRY(read_table<Elf64_Phdr>(file, header->e_phoff, header->e_phnum));
  for (const Elf64_Phdr &segment : segments)
    if (segment.p_type == PT_NOTE && TRY(has_go_note(file, segment)))
      return true;
  const bool is_bare = header->e_shnum == 0;
  if (!is_bare && TRY(has_go_section(file, *header)))
    return true;
  if (TRY(has_in_segments(file, segments, PF_W, kMagic, is_bare)))
    return true;
  // Build information can be taken out as well; then the parser goes by the version.
  return is_bare && TRY(has_in_segments(file, segments, 0, kRuntimeVersionBegin, is_bare));
}

} // namespace mapscope
