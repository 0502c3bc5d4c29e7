// Paths that read alike are one group, whatever pattern they come from.
#include "pipeline/map_groups.h"

#include <fmt/format.h>

namespace mapscope {

std::size_t MapGroups::group_of(const MapSample &map) {
  switch (by_) {
  case MapGroupBy::owner:
    return group_by_owner(map);
  case MapGroupBy::site:
    return group_by_site(map);
  default: {
    const auto [known, is_new] = numbers_.try_emplace(map.types, groups_.size());
    if (is_new)
      groups_.push_back({.types = map.types});
    return known->second;
  }
  }
}

std::size_t MapGroups::group_named(const std::string &name, const MapSample &map) {
  const auto [known, is_new] = names_.try_emplace(name, groups_.size());
  if (is_new)
    groups_.push_back({.types = map.types});
  if (groups_[known->second].types != map.types)
    groups_[known->second].types = kMixed;
  return known->second;
}

std::size_t MapGroups::group_by_owner(const MapSample &map) {
  const MapOwner &owner = holders_.owner_of(map);
  const std::uint64_t number =
      std::uint64_t{holders_.pattern_of(map)} << 2 | static_cast<std::uint64_t>(owner.reach);
  if (const auto known = numbers_.find(number); known != numbers_.end()) {
    Group &group = groups_[known->second];
    if (group.types != map.types)
      group.types = kMixed;
    return known->second;
  }
  const std::size_t group =
      group_named(fmt::format("{} {}", static_cast<unsigned>(owner.reach), owner.path), map);
  groups_[group].row.owner = owner;
  numbers_.emplace(number, group);
  return group;
}

std::size_t MapGroups::group_by_site(const MapSample &map) {
  const MapSite site = holders_.site_of(map);
  // Of several lines, which one a map comes from is not known.
  if (site.shares.empty() || (site.is_of_pattern && site.shares.size() > 1))
    return group_named({}, map);
  const SourceFrame &frame = site.shares.front().frame;
  const std::size_t group =
      group_named(fmt::format("{}:{} {}", frame.file, frame.line, frame.function), map);
  groups_[group].row.site = frame;
  return group;
}

} // namespace mapscope
