// Conditions that fail a run: `maps --fail-on 'reclaimable>64MiB,map.len>1000000'`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace mapscope {

// What conditions are about. Absent: not known, and a condition on it can't be answered.
struct MapFigures {
  std::uint64_t maps = 0, entries = 0, slots = 0, bytes = 0, tombstones = 0, unsettled = 0;
  std::optional<std::uint64_t> reclaimable_bytes, resident_bytes;
  // The largest of any one map.
  std::uint64_t map_bytes_max = 0, map_reclaimable_bytes_max = 0, map_len_max = 0;

  // One more map. Without an argument, what it would free or has in memory is not known, and the
  // sums leave it out.
  void add(std::uint64_t len, std::uint64_t slots_of_map, std::uint64_t tombstones_of_map,
           std::uint64_t bytes_of_map, std::optional<std::uint64_t> reclaimable_of_map);
};

class FailOn {
public:
  // "FIELD OP NUMBER", several of them joined by commas; any of them may hit. Sizes may have a
  // unit (KiB, MiB, GiB, TiB), counts k or M, shares a percent sign. Errors: usage, with what is
  // possible.
  static Result<FailOn> parse(std::string_view text);

  // A sentence for each condition that the figures meet: "reclaimable is 80.0 MiB, > 64.0 MiB".
  std::vector<std::string> hits(const MapFigures &figures) const;
  // A sentence for each that can't be answered, since its figure is not known.
  std::vector<std::string> unanswered(const MapFigures &figures) const;

  bool empty() const { return conditions_.empty(); }

private:
  enum class Comparison { less, at_most, more, at_least, equal, unequal };

  struct Condition {
    std::size_t field = 0; // index of the table of fields
    Comparison comparison = Comparison::more;
    double limit = 0;
    std::string text; // as it was given
  };

  static Result<Condition> parse_one(std::string_view text);
  static bool holds(const Condition &condition, double value);

  std::vector<Condition> conditions_;
};

} // namespace mapscope
