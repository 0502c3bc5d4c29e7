// Which file has the bytes at an address, and reading them there.
#include "memory/core_file.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mapscope {
namespace {

// What holds `address`, of things in the order of addresses and apart from each other.
template <typename Things>
auto find_at(Things &things, ProcessAddress address) -> decltype(things.data()) {
  auto behind = std::ranges::upper_bound(things, address, {},
                                         [](const auto &thing) { return thing.range.start; });
  if (behind == things.begin() || !std::prev(behind)->range.contains(address))
    return nullptr;
  return &*std::prev(behind);
}

// Without what overlaps an earlier one; what a sound file has never does.
template <typename Thing> void keep_apart(std::vector<Thing> &things) {
  std::uint64_t end = 0;
  std::erase_if(things, [&end](const Thing &thing) {
    const bool overlaps = thing.range.start.value < end;
    if (!overlaps)
      end = thing.range.end().value;
    return overlaps;
  });
}

} // namespace

Result<std::unique_ptr<CoreFile>> CoreFile::open(Fd core, std::string path) {
  return open(TRY_WHILE(ByteSource::open(std::move(core)), "{}", path), std::move(path));
}

Result<std::unique_ptr<CoreFile>> CoreFile::open(ByteSource core, std::string path) {
  CoreHeaders headers = TRY_WHILE(read_core_headers(core), "core file {}", path);
  return std::unique_ptr<CoreFile>{
      new CoreFile{std::move(core), std::move(path), std::move(headers)}};
}

CoreFile::CoreFile(ByteSource core, std::string path, CoreHeaders headers)
    : core_(std::move(core)), path_(std::move(path)), headers_(std::move(headers)) {
  keep_apart(headers_.segments);
  keep_apart(headers_.files);
  // Whether the file goes so far shows when it is read.
  for (const CoreSegment &segment : headers_.segments)
    if (segment.stored_bytes != 0)
      pieces_.push_back({{segment.range.start, segment.stored_bytes}, segment.offset});
}

std::string CoreFile::exe() const {
  const MappedFile *file = find_at(headers_.files, headers_.entry);
  return file == nullptr ? "" : file->path;
}

Result<> CoreFile::set_executable(Fd executable) {
  return set_executable(
      TRY_WHILE(ByteSource::open(std::move(executable)), "the program of core file {}", path_));
}

Result<> CoreFile::set_executable(ByteSource executable) {
  executable_ = std::move(executable);
  const bool is_right = TRY_WHILE(is_of_this_process(), "comparing core file {}", path_);
  if (!is_right)
    return fail(Errc::malformed,
                "the file is not the program that core file {} is of ({}): its program headers "
                "differ from those in the core file",
                path_, exe());
  std::vector<Piece> more = TRY_WHILE(executable_pieces(), "the program of core file {}", path_);
  pieces_.insert(pieces_.end(), more.begin(), more.end());
  std::ranges::sort(pieces_, {}, [](const Piece &piece) { return piece.range.start; });
  return {};
}

// As far as that can be seen: by default the kernel and gcore keep the first page of what was
// mapped from ELF files. The ELF header itself is not compared, since `strip` changes it.
Result<bool> CoreFile::is_of_this_process() {
  constexpr std::uint64_t kElfHeaderBytes = 64, kPageBytes = 4096;
  const std::string path = exe();
  std::array<std::byte, kPageBytes - kElfHeaderBytes> then, now;
  for (const MappedFile &file : headers_.files) {
    if (path.empty() || file.path != path || file.file_offset != 0 ||
        file.range.size_bytes < kPageBytes)
      continue;
    if (!TRY(fill({file.range.start.value + kElfHeaderBytes}, then)))
      continue;
    return TRY(executable_->read_into(kElfHeaderBytes, now)) && then == now;
  }
  return true;
}

// Where the core file has declared no bytes, and the executable's never change.
Result<std::vector<CoreFile::Piece>> CoreFile::executable_pieces() {
  const std::string path = exe();
  std::vector<Piece> mapped;
  for (const FilePart &part : TRY(unchanging_parts(*executable_)))
    for (const MappedFile &file : headers_.files) {
      const std::uint64_t part_end = part.offset + part.size_bytes;
      const std::uint64_t file_end = file.file_offset + file.range.size_bytes;
      const std::uint64_t start = std::max(part.offset, file.file_offset);
      const std::uint64_t end = std::min(part_end, file_end);
      if (path.empty() || file.path != path || start >= end || part_end < part.offset ||
          file_end < file.file_offset)
        continue;
      const std::uint64_t address = file.range.start.value + (start - file.file_offset);
      mapped.push_back({{{address}, end - start}, start, true});
    }
  std::ranges::sort(mapped, {}, [](const Piece &piece) { return piece.range.start; });

  std::vector<Piece> missing;
  std::uint64_t at = 0;
  auto next = pieces_.begin(); // the first that ends behind `at`
  for (const Piece &piece : mapped) {
    const std::uint64_t end = piece.range.end().value;
    for (at = std::max(at, piece.range.start.value); at < end;) {
      while (next != pieces_.end() && next->range.end().value <= at)
        ++next;
      if (next != pieces_.end() && next->range.start.value <= at) {
        at = next->range.end().value;
        continue;
      }
      const std::uint64_t until =
          next == pieces_.end() ? end : std::min(end, next->range.start.value);
      missing.push_back({{{at}, until - at}, piece.offset + (at - piece.range.start.value), true});
      at = until;
    }
  }
  return missing;
}

Result<bool> CoreFile::fill(ProcessAddress address, std::span<std::byte> into) const {
  while (!into.empty()) {
    const Piece *piece = find_at(pieces_, address);
    if (piece == nullptr)
      return false;
    const std::uint64_t skipped = address.value - piece->range.start.value;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(into.size(), piece->range.size_bytes - skipped));
    const ByteSource &source = piece->is_of_executable ? *executable_ : core_;
    const std::uint64_t offset = piece->offset + skipped;
    if (offset < skipped || !TRY(source.read_into(offset, into.first(count))))
      return false;
    into = into.subspan(count);
    address.value += count;
  }
  return true;
}

Result<> CoreFile::read(std::span<MemoryRead> reads) {
  for (MemoryRead &wanted : reads)
    wanted.is_read = TRY_WHILE(fill(wanted.address, wanted.into), "core file {}", path_);
  return {};
}

Result<std::vector<Mapping>> CoreFile::mappings() {
  std::vector<Mapping> mappings;
  for (const CoreSegment &segment : headers_.segments) {
    Mapping mapping{.start = segment.range.start,
                    .size_bytes = segment.range.size_bytes,
                    .is_readable = segment.is_readable,
                    .is_writable = segment.is_writable,
                    .is_executable = segment.is_executable};
    if (const MappedFile *file = find_at(headers_.files, segment.range.start)) {
      mapping.name = file->path;
      mapping.file_offset =
          file->file_offset + (segment.range.start.value - file->range.start.value);
    }
    mappings.push_back(std::move(mapping));
  }
  // gcore has no segment for what the file has as well.
  const std::size_t segment_count = mappings.size();
  for (const MappedFile &file : headers_.files) {
    const auto behind =
        std::ranges::lower_bound(headers_.segments, file.range.end(), {},
                                 [](const CoreSegment &segment) { return segment.range.start; });
    if (behind != headers_.segments.begin() && std::prev(behind)->range.end() > file.range.start)
      continue;
    mappings.push_back({.start = file.range.start,
                        .size_bytes = file.range.size_bytes,
                        .is_readable = true,
                        .file_offset = file.file_offset,
                        .name = file.path});
  }
  std::ranges::inplace_merge(
      mappings, mappings.begin() + static_cast<std::ptrdiff_t>(segment_count), {}, &Mapping::start);
  return mappings;
}

} // namespace mapscope
