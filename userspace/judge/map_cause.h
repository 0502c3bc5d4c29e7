// Why a map is larger than its entries need: from its numbers alone, and only where they are
// certain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flow/binary_facts.h"
#include "flow/judged_map.h"
#include "judge/map_bytes_by_cause.h"
#include "judge/map_rebuild.h"

namespace mapscope {

// Everything that a cause is found from.
struct MapEvidenceOfWaste {
  const MapSample &map;
  MapTypes candidates;
  const BytesByCause &by_cause;
  std::optional<std::uint64_t> reclaimable_bytes;
  const MapRebuild &rebuild;
  GoVersion version;
  bool is_classic = false;
};

struct MapFinding {
  MapCause cause = MapCause::none;
  std::uint64_t bytes = 0; // what it costs, roughly; the largest is told
  std::string explanation;
};

// What costs most. Less than a kibibyte is no finding.
MapFinding find_cause(const MapEvidenceOfWaste &map);

} // namespace mapscope
