// One zstd frame a chunk; see chunk_writer.h.
#include "recording/chunk_writer.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/write_all.h"

namespace mapscope {
namespace {

// Chunks are large when the tracer is busy, so their level is one that is fast and still finds
// what records repeat. One that time closes while it is small may take its time: 10 ms at most.
constexpr int kFastLevel = -1;
constexpr int kThoroughLevel = 9;
constexpr std::size_t kThoroughBytesMax = 64 << 10;

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
  items_.reserve(kChunkBytes);
  words_.reserve(kChunkBytes);
}

void ChunkWriter::add(ItemKind kind, std::span<const std::byte> body) {
  if (!status_) [[unlikely]]
    return;
  begin_item(kind, body.size());
  items_.insert(items_.end(), body.begin(), body.end());
}

void ChunkWriter::add_record(std::span<const std::byte> record) {
  if (!status_) [[unlikely]] {
    ++unkept_record_count_;
    return;
  }
  if (!RecordEncoder::can_encode(record)) [[unlikely]] {
    add(ItemKind::record, record);
    ++chunk_record_count_;
    return;
  }
  const std::size_t word_bytes = RecordEncoder::word_bytes_max(record);
  begin_item(ItemKind::coded_record, RecordEncoder::control_bytes(record), word_bytes);
  records_.encode(record, items_, words_);
  ++chunk_record_count_;
}

// In a new chunk, if this one has no room for it.
void ChunkWriter::begin_item(ItemKind kind, std::size_t body_bytes, std::size_t word_bytes) {
  const std::size_t needed_bytes = kItemHeadBytesMax + body_bytes + word_bytes;
  if (items_.size() + words_.size() + needed_bytes > kChunkBytes) [[unlikely]]
    close_chunk(kFastLevel);
  items_.push_back(static_cast<std::byte>(kind));
  append_uvarint(items_, body_bytes);
}

void ChunkWriter::flush() {
  close_chunk(items_.size() + words_.size() <= kThoroughBytesMax ? kThoroughLevel : kFastLevel);
}

void ChunkWriter::close_chunk(int level) {
  if (!items_.empty() && status_)
    status_ = write_chunk(level);
  if (!status_)
    unkept_record_count_ += chunk_record_count_;
  chunk_record_count_ = 0;
  items_.clear();
  words_.clear();
  records_.reset();
}

Result<> ChunkWriter::write_chunk(int level) {
  const std::size_t item_bytes = items_.size();
  Bytes &plain = items_;
  plain.insert(plain.end(), words_.begin(), words_.end());
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
