// One zstd frame a chunk; see chunk_writer.h.
#include "recording/chunk_writer.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/write_all.h"

namespace mapscope {
namespace {

// Full chunks follow each other when the tracer is busiest, so their level is the fastest that
// still finds what records repeat; a chunk that time closes may take its time.
constexpr int kFastLevel = 1;
constexpr int kThoroughLevel = 9;

constexpr std::size_t kItemHeadBytesMax = 1 + 10;

} // namespace

Result<ChunkWriter> ChunkWriter::create(Fd file) {
  FileHeader header;
  header.header_crc = header_crc_of(header);
  ChunkWriter writer{std::move(file)};
  TRY(write_all(writer.file_, std::as_bytes(std::span{&header, 1})));
  return writer;
}

ChunkWriter::ChunkWriter(Fd file) : file_(std::move(file)), compressor_(ZSTD_createCCtx()) {
  if (!compressor_)
    throw std::bad_alloc{};
  plain_.reserve(kChunkBytes + kItemHeadBytesMax);
}

void ChunkWriter::add(ItemKind kind, std::span<const std::byte> body) {
  if (!status_) [[unlikely]]
    return;
  if (plain_.size() + body.size() > kChunkBytes - kItemHeadBytesMax) [[unlikely]]
    close_chunk(kFastLevel);
  plain_.push_back(static_cast<std::byte>(kind));
  append_uvarint(plain_, body.size());
  plain_.insert(plain_.end(), body.begin(), body.end());
}

void ChunkWriter::flush() { close_chunk(kThoroughLevel); }

void ChunkWriter::close_chunk(int level) {
  if (!plain_.empty() && status_)
    status_ = write_chunk(level);
  plain_.clear();
}

Result<> ChunkWriter::write_chunk(int level) {
  stored_.resize(sizeof(ChunkHeader) + ZSTD_compressBound(plain_.size()));
  const auto room = std::span{stored_}.subspan(sizeof(ChunkHeader));
  const std::size_t size_bytes = ZSTD_compressCCtx(compressor_.get(), room.data(), room.size(),
                                                   plain_.data(), plain_.size(), level);
  if (ZSTD_isError(size_bytes))
    return fail(Errc::system, "zstd: {}", ZSTD_getErrorName(size_bytes));
  ChunkHeader header;
  header.number = number_++;
  header.stored_bytes = static_cast<std::uint32_t>(size_bytes);
  header.plain_bytes = static_cast<std::uint32_t>(plain_.size());
  header.payload_crc = crc_of(room.first(size_bytes));
  header.header_crc = header_crc_of(header);
  std::memcpy(stored_.data(), &header, sizeof(header));
  return write_all(file_, std::span{stored_}.first(sizeof(header) + size_bytes));
}

} // namespace mapscope
