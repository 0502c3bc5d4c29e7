// Writes a file of chunks.
#pragma once

#include <cstdint>
#include <span>

#include <zstd.h>

#include "base/error.h"
#include "base/handle.h"
#include "wire/archive.h"
#include "wire/chunks.h"

namespace mapscope {

class ChunkFile {
public:
  // Writes the header of the file. Errors: as write(2).
  static Result<ChunkFile> create(Fd file, const FileKind &kind);

  // One chunk, compressed at a level of zstd. The first `item_bytes` of `plain` are items; it has
  // kChunkPlainMax bytes at most. Errors: as write(2), and a part may have been written then.
  Result<> write(std::span<const std::byte> plain, std::size_t item_bytes, int level);

private:
  explicit ChunkFile(Fd file);

  Fd file_;
  Handle<ZSTD_CCtx, ZSTD_freeCCtx> compressor_;
  Bytes stored_; // with room for the header in front
  std::uint32_t number_ = 0;
};

} // namespace mapscope
