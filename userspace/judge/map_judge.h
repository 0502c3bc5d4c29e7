// What the numbers of a map mean: where its bytes go, what a rebuild would free, why, and what to
// do. Pure: nothing but the sample, the types that it may have and the Go release.
#pragma once

#include <optional>
#include <span>

#include "flow/binary_facts.h"
#include "flow/judged_map.h"
#include "judge/map_rebuild.h"

namespace mapscope {

class MapJudge {
public:
  explicit MapJudge(const BinaryFacts &facts);

  // `candidates`: the types that the map may have; none: not known.
  // `owner`, `site`: where they are known, the advice names them.
  JudgedMap judge(const MapSample &map, std::span<const MapTypeLayout *const> candidates,
                  MapOwner owner = {}, MapSite site = {}) const;

  // The same number as judge() gives, without the words: a census has millions of maps.
  std::optional<std::uint64_t>
  reclaimable_bytes(const MapSample &map, std::span<const MapTypeLayout *const> candidates) const;

private:
  MapRebuild rebuild_;
  GoVersion version_;
  bool is_known_release_;
  bool is_classic_;
};

} // namespace mapscope
