// Files of chunks, which recordings and snapshots are: a header, and then chunks under checksums.
// docs/recordings.md draws them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <zlib.h>

namespace mapscope {

static_assert(std::endian::native == std::endian::little, "headers are copied as they are");

// CRC-32 as in gzip.
inline std::uint32_t crc_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()));
}

// Of either header: that of all its bytes but the last four.
template <typename Header>
  requires std::is_trivially_copyable_v<Header>
std::uint32_t header_crc_of(const Header &header) {
  return crc_of(std::as_bytes(std::span{&header, 1}).first(sizeof(header) - sizeof(std::uint32_t)));
}

// What tells one kind of file from another. No text file begins like any of them, and a transfer
// that changes line ends breaks them.
struct FileKind {
  std::string_view name; // "recording"
  std::array<std::uint8_t, 8> magic;
  std::uint32_t format_version;
  std::string_view contents; // "events"
  std::uint32_t content_version;
  std::uint32_t oldest_format_version = 0; // that is still read; 0: none but the newest
};

// The first bytes of a file, the same in all versions to come.
struct FileHeader {
  std::array<std::uint8_t, 8> magic;
  std::uint32_t format_version;
  std::uint32_t content_version;
  std::uint32_t header_crc; // of the bytes before it
};
static_assert(sizeof(FileHeader) == 20);

inline FileHeader file_header_of(const FileKind &kind) {
  FileHeader header{kind.magic, kind.format_version, kind.content_version, 0};
  header.header_crc = header_crc_of(header);
  return header;
}

inline constexpr std::uint32_t kChunkMark = 0x4b4e4843; // "CHNK"

// In front of each chunk: `stored_bytes` of zstd, one frame, that hold `plain_bytes`: items, and
// behind them bytes that compress better apart from these.
struct ChunkHeader {
  std::uint32_t mark = kChunkMark;
  std::uint32_t number = 0; // from 0 on, in the order of the file
  std::uint32_t stored_bytes = 0;
  std::uint32_t plain_bytes = 0;
  std::uint32_t item_bytes = 0;  // of the plain bytes
  std::uint32_t payload_crc = 0; // of the stored bytes
  std::uint32_t header_crc = 0;  // of the bytes before it
};
static_assert(sizeof(ChunkHeader) == 28);

inline constexpr std::size_t kItemBytesMax = 32 << 20;
inline constexpr std::size_t kChunkPlainMax = kItemBytesMax + (512 << 10);

} // namespace mapscope
