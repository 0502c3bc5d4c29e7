// Snapshots put together from items, which may be anything; for tests and for fuzzing.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <zstd.h>

#include "base/byte_reader.h"
#include "memory/snapshot.h"
#include "wire/facts_json.h"

namespace mapscope {

inline SnapshotProcess some_process() {
  BinaryFacts facts;
  facts.path = "/srv/program";
  facts.file_size_bytes = 1 << 20;
  facts.entry = {0x401000};
  facts.entry_offset = {0x1000};
  facts.go_version = "go1.26.8";
  facts.version = {1, 26, 8};
  facts.layout.offsets = {{"runtime.g.goid", 152}};
  facts.variables.heap = {0x5000};
  return {.pid = 4711,
          .exe = "/srv/program",
          .load_bias = {0x1000},
          .wall_time_ns = 1'700'000'000'000'000'000,
          .facts = std::make_shared<const BinaryFacts>(std::move(facts))};
}

inline void append_item(Bytes &items, SnapshotItem kind, std::span<const std::byte> body) {
  items.push_back(static_cast<std::byte>(kind));
  append_uvarint(items, body.size());
  items.insert(items.end(), body.begin(), body.end());
}

// The body of the first item.
inline Bytes process_item_body() {
  const SnapshotProcess process = some_process();
  Bytes body;
  FieldWriter{body}(process.pid, process.exe, process.load_bias.value, process.wall_time_ns);
  const auto facts = nlohmann::json::to_msgpack(facts_to_json(*process.facts));
  const auto bytes = std::as_bytes(std::span{facts});
  body.insert(body.end(), bytes.begin(), bytes.end());
  return body;
}

// As far as they are items at all.
inline std::uint64_t count_items(std::span<const std::byte> items) {
  std::uint64_t count = 0;
  for (ByteReader rest{items}; rest.read<std::uint8_t>(); ++count) {
    const auto length = rest.read_uvarint();
    const auto behind = rest.from(length.value_or(~0ULL));
    if (!behind)
      break;
    rest = *behind;
  }
  return count;
}

// A snapshot of one chunk: a process, these items with their memory, and an end that says
// `totals`, or else what is right.
inline Bytes snapshot_of(std::span<const std::byte> items, std::span<const std::byte> memory,
                         std::optional<SnapshotTotals> totals = std::nullopt) {
  static const Bytes process = process_item_body();
  Bytes plain, end;
  append_item(plain, SnapshotItem::process, process);
  plain.insert(plain.end(), items.begin(), items.end());
  FieldWriter{end}(totals.value_or(SnapshotTotals{1 + count_items(items), memory.size()}));
  append_item(plain, SnapshotItem::end, end);
  const std::size_t item_bytes = plain.size();
  plain.insert(plain.end(), memory.begin(), memory.end());
  Bytes stored(ZSTD_compressBound(plain.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), plain.data(), plain.size(), 1));
  const FileHeader file_header = file_header_of(kSnapshotKind);
  ChunkHeader header{.stored_bytes = static_cast<std::uint32_t>(stored.size()),
                     .plain_bytes = static_cast<std::uint32_t>(plain.size()),
                     .item_bytes = static_cast<std::uint32_t>(item_bytes),
                     .payload_crc = crc_of(stored)};
  header.header_crc = header_crc_of(header);
  Bytes file;
  for (const auto part : {std::as_bytes(std::span{&file_header, 1}),
                          std::as_bytes(std::span{&header, 1}), std::span<const std::byte>{stored}})
    file.insert(file.end(), part.begin(), part.end());
  return file;
}

} // namespace mapscope
