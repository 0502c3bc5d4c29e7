// Which pages of the Go heap are in memory or in swap, and how much of an object lies on them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/map_sample.h"
#include "heap/span_table.h"

namespace mapscope {

struct BytesInMemory {
  std::uint64_t resident = 0, swapped = 0;

  BytesInMemory &operator+=(const BytesInMemory &more) {
    resident += more.resident;
    swapped += more.swapped;
    return *this;
  }
  void add_to(MapSample &map) const {
    map.resident_bytes += resident;
    map.swapped_bytes += swapped;
  }
};

class ResidentPages {
public:
  // Asks once, for all arenas of these spans. Errors: as AddressSpace::resident_pages.
  static Result<ResidentPages> read(AddressSpace &space, const SpanTable &spans);

  // Of each page that the object lies on, its part.
  BytesInMemory of(const HeapObject &object) const {
    SpanState state = object.span < spans_.size() ? spans_[object.span] : SpanState::mixed;
    if (state == SpanState::mixed)
      return count(object.start, object.size_bytes);
    return {state == SpanState::resident ? object.size_bytes : 0, 0};
  }

private:
  static constexpr std::uint64_t kPageBytes = 4096; // larger pages count as several
  static constexpr std::uint64_t kArenaPages = SpanTable::kArenaBytes / kPageBytes;
  using Bitmap = std::array<std::uint64_t, kArenaPages / 64>;

  enum class SpanState : std::uint8_t {
    resident,
    absent,
    mixed
  }; // in memory; neither there nor
     // in swap; page by page
  struct Arena {
    std::uint64_t start = 0;
    Bitmap resident{}, swapped{};
  };

  void note(const PageRun &run);
  Arena *find(std::uint64_t address);
  BytesInMemory count(std::uint64_t start, std::uint64_t size_bytes) const;

  std::vector<Arena> arenas_;    // by start
  std::vector<SpanState> spans_; // by number: most spans need no look at their pages
};

} // namespace mapscope
