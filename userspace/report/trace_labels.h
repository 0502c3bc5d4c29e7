// Short texts of what trace tells again and again: maps, sites, types, sizes. Each is made once
// and found again by what it belongs to, in tables of bounded size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/lru_table.h"
#include "base/pointer_cache.h"
#include "flow/trace_event.h"

namespace mapscope {

// "main.fill main.go:12"; without a line where none is known. Printable.
std::string site_text(const SourceFrame &site);

// What is not known in a line of trace.
inline constexpr std::string_view kUnknown = "?";

class TraceLabels {
public:
  // "0xc000012340", "stack g1+0x1a8"; and "#3", its number, where another map was at the same
  // place before.
  void append_map(const TraceEvent &event, const MapIdentity &map, std::string &out);

  // Views hold until the next call.
  std::string_view site(const TraceEvent &event);
  std::string_view type(const MapTypePtr &type);
  std::string_view bytes(std::uint64_t bytes); // format_bytes()

private:
  bool is_reused_place(const TraceEvent &event, const MapIdentity &map);

  struct Place {
    ProcessKey process;
    std::uint64_t goroutine = 0; // 0: the header is on the heap
    std::uint64_t where = 0;     // address, or distance from the stack's top
    friend bool operator==(const Place &, const Place &) = default;
  };
  struct PlaceHash {
    std::uint64_t operator()(const Place &place) const;
  };
  struct BytesText {
    std::optional<std::uint64_t> bytes;
    std::string text;
  };

  LruTable<Place, std::uint64_t, PlaceHash> first_at_{65'536}; // number of the first map there
  PointerCache<CallStack, std::string> sites_{4096};
  PointerCache<MapType, std::string> types_{4096};
  std::array<BytesText, 256> bytes_; // direct mapped: sizes are those of a few size classes
  std::string call_site_;
};

} // namespace mapscope
