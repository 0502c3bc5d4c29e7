// Offsets are those of 64-bit Go on little-endian machines, the only ones that are watched.
#include "attribute/map_header.h"

#include <bit>

namespace mapscope {
namespace {

std::optional<MapHeader> read_classic(const MapHeaderWords &words, GoVersion version) {
  MapHeader header;
  header.len = words[0];
  header.log_buckets = (words[1] >> 8) & 0xff;
  header.seed = words[1] >> 32;
  header.storage = words[2];
  // 1.24 put clearSeq in front of extra, which then lies behind the copied words.
  if (version < GoVersion{1, 24})
    header.has_extra = words[5] != 0;
  if (header.log_buckets > kLogBucketsMax)
    return std::nullopt;
  return header;
}

std::optional<MapHeader> read_swiss(const MapHeaderWords &words) {
  MapHeader header;
  header.len = words[0];
  header.seed = words[1];
  header.storage = words[2];
  header.directory_len = words[3];
  std::uint64_t global_depth = words[4] & 0xff;
  header.tombstone_possible = (words[4] >> 24) & 0xff;
  bool is_small = header.directory_len == 0 && global_depth == 0 && header.len <= kSlotsOfGroup;
  bool has_tables = global_depth <= kLogBucketsMax && header.storage != 0 &&
                    header.directory_len == std::uint64_t{1} << global_depth;
  if (!is_small && !has_tables)
    return std::nullopt;
  return header;
}

} // namespace

std::optional<MapHeader> read_map_header(const MapHeaderWords &words,
                                         MapImplementation implementation, GoVersion version) {
  switch (implementation) {
  case MapImplementation::classic:
    return read_classic(words, version);
  case MapImplementation::swiss:
    return read_swiss(words);
  case MapImplementation::none:
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<TableFront> read_table_front(std::uint64_t word) {
  TableFront table{.used = word & 0xffff,
                   .slots = (word >> 16) & 0xffff,
                   .growth_left = (word >> 32) & 0xffff,
                   .local_depth = static_cast<unsigned>((word >> 48) & 0xff)};
  if (!std::has_single_bit(table.slots) || table.slots < kSlotsOfGroup ||
      table.slots > kTableSlotsMax || table.used + table.growth_left > table.slots ||
      table.local_depth > kLogBucketsMax)
    return std::nullopt;
  return table;
}

} // namespace mapscope
