// Items until a chunk is full; see chunk_writer.h.
#include "recording/chunk_writer.h"

#include <utility>

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
  return ChunkWriter{TRY(ChunkFile::create(std::move(file), kRecordingKind))};
}

ChunkWriter::ChunkWriter(ChunkFile file) : file_(std::move(file)) {
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
  if (!items_.empty() && status_) {
    const std::size_t item_bytes = items_.size();
    items_.insert(items_.end(), words_.begin(), words_.end());
    status_ = file_.write(items_, item_bytes, level);
  }
  if (!status_)
    unkept_record_count_ += chunk_record_count_;
  chunk_record_count_ = 0;
  items_.clear();
  words_.clear();
  records_.reset();
}

} // namespace mapscope
