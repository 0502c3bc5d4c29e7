// The chunks of a file that are sound, and a sentence on each gap between them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <zstd.h>

#include "base/error.h"
#include "base/handle.h"
#include "wire/archive.h"
#include "wire/byte_source.h"
#include "wire/chunks.h"

namespace mapscope {

// Distrusts the file: sizes are limited before memory is taken for them, and a chunk that is not
// what its header says is passed over. Its work is linear in the size of the file and of what
// the chunks hold.
class ChunkReader {
public:
  // Errors: malformed (not a file of that kind, or its header is damaged), unsupported
  // (another version of the format or of its contents).
  static Result<ChunkReader> open(ByteSource source, const FileKind &kind);

  // What comes next in the file.
  struct Step {
    std::string gap; // what could not be read in front of it; empty: nothing
    std::uint32_t number = 0;
    std::optional<std::span<const std::byte>> items; // absent: the end of the file
    std::span<const std::byte> words;                // what is no item
  };

  // Items and words stay until the next call. Errors: the file can't be read.
  Result<Step> next();

private:
  ChunkReader(ByteSource source, const FileKind &kind);

  Result<std::optional<ChunkHeader>> header_at(std::uint64_t offset);
  Result<std::uint64_t> next_header_after(std::uint64_t offset);
  Result<bool> unpack(const ChunkHeader &header);
  std::string gap_before(std::uint32_t number) const;
  std::string gap_at_end() const;

  ByteSource source_;
  FileKind kind_;
  Handle<ZSTD_DCtx, ZSTD_freeDCtx> decompressor_;
  Bytes plain_;
  std::uint64_t offset_ = sizeof(FileHeader);
  std::uint32_t expected_ = 0; // number of the next chunk
  // Where bytes that are no sound chunk begin, since the last chunk that was one.
  std::optional<std::uint64_t> unsound_from_;
};

} // namespace mapscope
