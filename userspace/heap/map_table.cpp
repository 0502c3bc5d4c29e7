// A row holds what survives the way through it; what does not is kept as it came.
#include "heap/map_table.h"

namespace mapscope {

MapTable::Row MapTable::narrow(const MapSample &sample) {
  auto narrowed = []<typename T>(T &into, std::uint64_t value) { into = static_cast<T>(value); };
  Row row{.address = sample.address.value, .seed = sample.seed, .evidence = sample.evidence};
  narrowed(row.len, sample.len);
  narrowed(row.slots, sample.slots);
  narrowed(row.directory, sample.bytes.directory);
  narrowed(row.control, sample.bytes.control);
  narrowed(row.cells, sample.bytes.cells);
  narrowed(row.tombstones, sample.tombstones);
  narrowed(row.rounding, sample.bytes.rounding);
  narrowed(row.group_bytes, sample.group_bytes);
  narrowed(row.header, sample.bytes.header);
  return row;
}

MapSample MapTable::widen(const Row &row) {
  return {.address = {row.address},
          .seed = row.seed,
          .len = row.len,
          .slots = row.slots,
          .tombstones = row.tombstones,
          .group_bytes = row.group_bytes,
          .evidence = row.evidence,
          .bytes = {.header = row.header,
                    .directory = row.directory,
                    .control = row.control,
                    .cells = row.cells,
                    .rounding = row.rounding}};
}

void MapTable::add(const MapSample &sample) {
  Row row = narrow(sample);
  if (widen(row) != sample) {
    row.is_wide = true;
    row.len = static_cast<std::uint32_t>(wide_.size());
    wide_.push_back(sample);
  }
  rows_.push_back(row);
}

MapSample MapTable::operator[](std::size_t index) const {
  const Row &row = rows_[index];
  return row.is_wide ? wide_[row.len] : widen(row);
}

} // namespace mapscope
