// The objects of one map, gathered while it is taken apart: rows of alike ones, and the pages that
// all of them lie in.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/map_anatomy.h"
#include "heap/span_table.h"

namespace mapscope {

class MapParts {
public:
  explicit MapParts(const SpanTable &spans) : spans_(spans) {}

  // An object of the heap. `asked_bytes`: before rounding up.
  void add(MapPart part, const HeapObject &object, std::uint64_t asked_bytes);
  // What lies on a stack, and so costs no heap.
  void add_on_stack(MapPart part, std::uint64_t address, std::uint64_t asked_bytes);

  std::uint64_t bytes() const { return bytes_; } // of the heap, all parts

  // Fills in objects, spans and pages. Errors: as AddressSpace::read.
  Result<> tell(AddressSpace &space, MapAnatomy &anatomy);

private:
  struct Piece {
    std::uint64_t start = 0, end = 0;
  };
  using RowKey = std::tuple<MapPart, std::uint64_t, std::uint64_t, bool>;

  void join_pieces();
  std::uint64_t count_pages(std::uint64_t page_bytes) const;
  Result<> tell_residency(AddressSpace &space, MapAnatomy &anatomy) const;

  const SpanTable &spans_;
  std::map<RowKey, std::size_t> row_of_; // part, slot, asked, pointers
  std::vector<MapObject> rows_;
  std::vector<Piece> pieces_; // of memory; sorted and apart after join_pieces()
  std::size_t joined_count_ = 0;
  std::vector<bool> has_span_; // by index in the table
  std::uint64_t bytes_ = 0, object_count_ = 0, span_count_ = 0;
};

} // namespace mapscope
