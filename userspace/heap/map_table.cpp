// A row holds what survives the way through it; what does not is kept as it came.
#include "heap/map_table.h"

#include <algorithm>

namespace mapscope {
namespace {

// The code of a value that is one of a few; their number where it is none of them.
template <std::size_t N>
std::uint8_t code_of(const std::array<std::uint64_t, N> &values, std::uint64_t value) {
  std::uint8_t code = 0;
  while (code < N && values[code] != value)
    ++code;
  return code;
}

constexpr std::array<std::uint64_t, 3> kHeaderBytes{48, 64, 0};

} // namespace

MapTable::Row MapTable::narrow(const MapSample &sample) {
  auto narrowed = []<typename T>(T &into, std::uint64_t value) { into = static_cast<T>(value); };
  const MapBytes &bytes = sample.bytes;
  Row row{.address = sample.address.value, .seed = sample.seed, .types = sample.types};
  narrowed(row.len, sample.len);
  narrowed(row.slots, sample.slots);
  narrowed(row.directory, bytes.directory);
  narrowed(row.cells, bytes.cells);
  narrowed(row.resident, sample.resident_bytes);
  narrowed(row.tombstones, sample.tombstones);
  narrowed(row.rounding, bytes.rounding);
  narrowed(row.group_bytes, sample.group_bytes);
  row.evidence = static_cast<std::uint8_t>(sample.evidence) & 3;
  row.header = code_of(kHeaderBytes, bytes.header) & 3;
  row.control =
      code_of(std::array<std::uint64_t, 3>{0, sample.slots, 2 * sample.slots}, bytes.control) & 3;
  row.was_cleared = sample.history.was_cleared;
  row.has_deletions = sample.history.has_deletions;
  row.has_grown = sample.history.has_grown;
  row.was_hinted = sample.history.was_hinted;
  row.is_on_stack = sample.is_on_stack;
  row.is_in_motion = sample.is_in_motion;
  row.is_rest_swapped = sample.swapped_bytes != 0;
  return row;
}

MapSample MapTable::widen(const Row &row, const More &more) {
  MapSample sample{.address = {row.address},
                   .seed = row.seed,
                   .len = row.len,
                   .slots = row.slots,
                   .tombstones = row.tombstones,
                   .group_bytes = row.group_bytes,
                   .evidence = static_cast<MapEvidence>(row.evidence),
                   .is_on_stack = row.is_on_stack != 0,
                   .is_in_motion = row.is_in_motion != 0,
                   .history = {.was_cleared = row.was_cleared != 0,
                               .has_deletions = row.has_deletions != 0,
                               .has_grown = row.has_grown != 0,
                               .was_hinted = row.was_hinted != 0},
                   .types = row.types,
                   .old_buckets = more.old_buckets,
                   .evacuated_buckets = more.evacuated_buckets,
                   .bytes = {.header = row.header < 3 ? kHeaderBytes[row.header] : 0,
                             .directory = row.directory,
                             .control = std::uint64_t{row.slots} * row.control,
                             .cells = row.cells,
                             .rounding = row.rounding,
                             .overflow = more.overflow,
                             .old = more.old,
                             .indirect = more.indirect},
                   .resident_bytes = row.resident};
  if (row.is_rest_swapped != 0)
    sample.swapped_bytes = sample.bytes.total() - sample.resident_bytes;
  return sample;
}

void MapTable::add(const MapSample &sample) {
  Row row = narrow(sample);
  More more;
  if (widen(row, more) != sample) {
    auto narrowed = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    more = {.len = row.len,
            .overflow = narrowed(sample.bytes.overflow),
            .old = narrowed(sample.bytes.old),
            .indirect = narrowed(sample.bytes.indirect),
            .old_buckets = narrowed(sample.old_buckets),
            .evacuated_buckets = narrowed(sample.evacuated_buckets)};
    if (widen(row, more) == sample) {
      row.kind = kWithMore;
      row.len = narrowed(more_.size());
      more_.push_back(more);
    } else {
      row.kind = kWide;
      row.len = narrowed(wide_.size());
      wide_.push_back(sample);
    }
  }
  rows_.push_back(row);
}

MapSample MapTable::operator[](std::size_t index) const {
  Row row = rows_[index];
  if (row.kind == kWide)
    return wide_[row.len];
  if (row.kind == kPlain)
    return widen(row, {});
  const More &more = more_[row.len];
  row.len = more.len;
  return widen(row, more);
}

void MapTable::add_reference(std::size_t index, std::uint32_t types) {
  Row &row = rows_[index];
  constexpr auto kReferenced = static_cast<std::uint16_t>(MapEvidence::referenced);
  row.types = types;
  row.evidence = std::max<std::uint16_t>(row.evidence, kReferenced) & 3;
  if (row.kind == kWide) {
    wide_[row.len].types = types;
    wide_[row.len].evidence = static_cast<MapEvidence>(row.evidence);
  }
}

} // namespace mapscope
