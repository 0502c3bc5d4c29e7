// Items into chunks, and chunks into a file.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/handle.h"
#include "recording/format.h"
#include "recording/record_coder.h"
#include "wire/archive.h"
#include "wire/chunk_file.h"

namespace mapscope {

class ChunkWriter {
public:
  // Writes the header of the file. Errors: as write(2).
  static Result<ChunkWriter> create(Fd file);

  // Cheap: the bytes are copied, and every kChunkBytes compressed and written. The body has
  // kItemBytesMax at most. After a failure nothing is kept any more, see status().
  void add(ItemKind kind, std::span<const std::byte> body);

  // A record, in whichever way it is shorter.
  void add_record(std::span<const std::byte> record);

  // Closes the chunk, so that what was added is in the file. A small one is compressed
  // harder: it came slowly.
  void flush();

  // The first failure, and how many records are not in the file for it.
  const Result<> &status() const { return status_; }
  std::uint64_t unkept_record_count() const { return unkept_record_count_; }

private:
  explicit ChunkWriter(ChunkFile file);
  void begin_item(ItemKind kind, std::size_t body_bytes, std::size_t word_bytes = 0);
  void close_chunk(int level);

  ChunkFile file_;
  RecordEncoder records_;
  Bytes items_;
  Bytes words_;                          // of the records among them
  std::uint64_t chunk_record_count_ = 0; // of the chunk that is not written yet
  std::uint64_t unkept_record_count_ = 0;
  Result<> status_;
};

} // namespace mapscope
