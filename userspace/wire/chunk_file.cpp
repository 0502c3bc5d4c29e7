// One zstd frame a chunk; see chunk_file.h.
#include "wire/chunk_file.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/write_all.h"

namespace mapscope {

Result<ChunkFile> ChunkFile::create(Fd file, const FileKind &kind) {
  const FileHeader header = file_header_of(kind);
  ChunkFile created{std::move(file)};
  TRY(write_all(created.file_, std::as_bytes(std::span{&header, 1})));
  return created;
}

ChunkFile::ChunkFile(Fd file) : file_(std::move(file)), compressor_(ZSTD_createCCtx()) {
  if (!compressor_)
    throw std::bad_alloc{};
}

Result<> ChunkFile::write(std::span<const std::byte> plain, std::size_t item_bytes, int level) {
  stored_.resize(sizeof(ChunkHeader) + ZSTD_compressBound(plain.size()));
  const auto room = std::span{stored_}.subspan(sizeof(ChunkHeader));
  const std::size_t size_bytes = ZSTD_compressCCtx(compressor_.get(), room.data(), room.size(),
                                                   plain.data(), plain.size(), level);
  if (ZSTD_isError(size_bytes))
    return fail(Errc::system, "zstd: {}", ZSTD_getErrorName(size_bytes));
  ChunkHeader header;
  header.number = number_++;
  header.stored_bytes = static_cast<std::uint32_t>(size_bytes);
  header.plain_bytes = static_cast<std::uint32_t>(plain.size());
  header.item_bytes = static_cast<std::uint32_t>(item_bytes);
  header.payload_crc = crc_of(room.first(size_bytes));
  header.header_crc = header_crc_of(header);
  std::memcpy(stored_.data(), &header, sizeof(header));
  return write_all(file_, std::span{stored_}.first(sizeof(header) + size_bytes));
}

} // namespace mapscope
