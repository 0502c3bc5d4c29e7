// Maps that share a type, an owner path or a line of source, added up.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/map_sample.h"
#include "pipeline/map_holders.h"
#include "report/maps_report.h"

namespace mapscope {

class MapGroups {
public:
  // `holders` outlives it.
  MapGroups(MapGroupBy by, const MapHolders &holders) : by_(by), holders_(holders) {}

  // The number of the map's group, counted from 0 as they come.
  std::size_t group_of(const MapSample &map);
  std::size_t size() const { return groups_.size(); }
  MapTotals &totals(std::size_t group) { return groups_[group].row.totals; }
  // What its maps share; by type, the names are left to the caller.
  const MapGroup &row(std::size_t group) const { return groups_[group].row; }
  std::uint32_t types(std::size_t group) const { return groups_[group].types; }

private:
  struct Group {
    MapGroup row;
    std::uint32_t types = 0; // of its maps; kMixed: of several sets
  };
  std::size_t group_named(const std::string &name, const MapSample &map);
  std::size_t group_by_owner(const MapSample &map);
  std::size_t group_by_site(const MapSample &map);

  MapGroupBy by_;
  const MapHolders &holders_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, std::size_t> names_;
  std::unordered_map<std::uint64_t, std::size_t> numbers_; // by set of types, or reach and pattern

public:
  static constexpr std::uint32_t kMixed = 0xffffffff;
};

} // namespace mapscope
