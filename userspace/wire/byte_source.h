// Where the bytes of a file from outside come from: a file, or memory in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/handle.h"
#include "wire/archive.h"

namespace mapscope {

class ByteSource {
public:
  explicit ByteSource(std::span<const std::byte> bytes)
      : bytes_(bytes), size_bytes_(bytes.size()) {}

  // What the file holds now; what is appended later is not looked at. Not mapped into memory,
  // since a file that somebody truncates would end us. Errors: unsupported (no regular file).
  static Result<ByteSource> open(Fd file);

  std::uint64_t size_bytes() const { return size_bytes_; }

  // [offset, offset + length), which has to be in the file; to be used before the next call.
  // Errors: as read(2), and malformed when the file has become shorter.
  Result<std::span<const std::byte>> read(std::uint64_t offset, std::size_t length);

  // Fills `into` from `offset` on; false where the file has not so many bytes there. Errors: as
  // read(2).
  Result<bool> read_into(std::uint64_t offset, std::span<std::byte> into) const;

  // Where the first byte from `offset` on lies that the file really has; its end where only a hole
  // follows, which may be a terabyte and reads as zeros.
  std::uint64_t next_data(std::uint64_t offset) const;

private:
  ByteSource(Fd file, std::uint64_t size_bytes) : file_(std::move(file)), size_bytes_(size_bytes) {}

  Fd file_;                          // none: the bytes are in memory
  std::span<const std::byte> bytes_; // in memory
  std::uint64_t size_bytes_ = 0;
  Bytes buffer_;
};

} // namespace mapscope
