// What a recording looks like: its header, its chunks and their limits. See docs/recordings.md,
// which has to say the same.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <zlib.h>

#include "bpf/contract/events.h"

namespace mapscope {

static_assert(std::endian::native == std::endian::little, "headers are copied as they are");

// Raised with every change of what is written, that of fields.h included.
inline constexpr std::uint32_t kFormatVersion = 1;

// No text file begins like this, and a transfer that changes line ends breaks it.
inline constexpr std::array<std::uint8_t, 8> kMagic = {0x89, 'M', 'A', 'P', 'S', '\r', '\n', 0x1a};

// CRC-32 as in gzip.
inline std::uint32_t crc_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()));
}

// The first bytes of the file, the same in all versions to come.
struct FileHeader {
  std::array<std::uint8_t, 8> magic = kMagic;
  std::uint32_t format_version = kFormatVersion;
  std::uint32_t event_abi_version = EVENT_ABI_VERSION;
  std::uint32_t header_crc = 0; // of the bytes before it
};
static_assert(sizeof(FileHeader) == 20);

inline constexpr std::uint32_t kChunkMark = 0x4b4e4843; // "CHNK"

// In front of each chunk: `stored_bytes` of zstd, one frame, that hold `plain_bytes`: items, and
// behind them the words of the records among them (record_coder.h).
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

// Of either header: that of all its bytes but the last four.
template <typename Header>
  requires std::is_trivially_copyable_v<Header>
std::uint32_t header_crc_of(const Header &header) {
  return crc_of(std::as_bytes(std::span{&header, 1}).first(sizeof(header) - sizeof(std::uint32_t)));
}

// One call of a RunObserver each, or what a later one refers to. An item is its kind, the length
// of its body as unsigned LEB128, and its body.
enum class ItemKind : std::uint8_t {
  start = 1,
  binary = 2, // facts of an executable
  target_start = 3,
  record = 4, // as it was
  names = 5,  // answers about an executable
  drained = 6,
  goroutines = 7,
  remark = 8,
  target_end = 9,
  end = 10,
  coded_record = 11, // as what differs from the last one of its kind, see record_coder.h
};

// A chunk is closed when it has so many plain bytes.
inline constexpr std::size_t kChunkBytes = 256 << 10;
inline constexpr std::size_t kItemBytesMax = 32 << 20;
inline constexpr std::size_t kChunkPlainMax = kItemBytesMax + 2 * kChunkBytes;
// Over the whole file: what stays in memory while one is replayed.
inline constexpr std::size_t kBinaryBytesMax = 64 << 20; // of all `binary` items
inline constexpr std::size_t kAnswersMax = 1 << 20;      // of all `names` items

} // namespace mapscope
