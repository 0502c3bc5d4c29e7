// Records as what differs from the last one of their kind, since most words of a record say what
// the one before it said. zstd finds the same, but at three times the cost.
//
// Two streams, for zstd passes over what it can't shorten: what becomes of each word of eight
// bytes (few different bytes, much repeated), and the bytes of the words that changed.
//
//   record:  1 byte (bits 0-3 the kind, bits 4-6 how many bytes its last word lacks), then a
//            control byte for each word
//   control: 0 the word is that of the last record; else, of the exclusive or of the two, bits
//            4-7 how many low bytes are zero, bits 0-3 how many bytes follow in the other stream
//   0x0f:    the word was written in this chunk before; two bytes follow, its place in the table
//            of seen words
//
// Both sides keep the same two tables, and begin with zeros in each chunk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/byte_reader.h"
#include "base/error.h"
#include "bpf/contract/events.h"
#include "wire/archive.h"

namespace mapscope {

inline constexpr std::size_t kCodedRecordBytesMax = 2048;

struct RecordTables {
  using Words = std::array<std::uint64_t, kCodedRecordBytesMax / sizeof(std::uint64_t)>;

  std::array<Words, EVENT_KIND_COUNT> last{}; // of each kind; what a shorter one lacks stays
  std::array<std::uint64_t, 4096> seen{};     // by their hash: stacks, types and maps come again
};

class RecordEncoder {
public:
  // Others are not what the kernel side sends, and are kept as they are: too short for a header,
  // too long, or of no known kind. What the header says of the size does not matter.
  static bool can_encode(std::span<const std::byte> record);

  // How many bytes encode() will append to each stream: exactly, and at most.
  static std::size_t control_bytes(std::span<const std::byte> record);
  static std::size_t word_bytes_max(std::span<const std::byte> record);

  // Appends to both streams; `record` is one that can_encode().
  void encode(std::span<const std::byte> record, Bytes &controls, Bytes &words);

  // Here begins a chunk.
  void reset() { *tables_ = {}; }

private:
  std::unique_ptr<RecordTables> tables_ = std::make_unique<RecordTables>();
};

class RecordDecoder {
public:
  // Here begins a chunk, whose words these are. They outlive what is decoded.
  void reset(std::span<const std::byte> words);

  // The record whose control bytes these are; it is gone with the next call. Errors: malformed,
  // and nothing of this chunk can be decoded any more.
  Result<std::span<const std::byte>> decode(ByteReader controls);

  // The bytes of words that no record needed so far.
  std::size_t unused_bytes() const { return words_.size(); }

private:
  std::unique_ptr<RecordTables> tables_ = std::make_unique<RecordTables>();
  ByteReader words_{{}};
};

} // namespace mapscope
