// The keys of a std::map do not move, so that the sets lie there and nowhere else.
#include "heap/type_sets.h"

namespace mapscope {

std::uint32_t TypeSets::intern(std::vector<std::uint32_t> types) {
  if (auto known = numbers_.find(types); known != numbers_.end())
    return known->second;
  if (sets_.size() >= kSetsMax || types.size() > kTypesMax - type_count_)
    return kNotKept;
  type_count_ += types.size();
  auto [place, is_new] =
      numbers_.emplace(std::move(types), static_cast<std::uint32_t>(sets_.size()));
  sets_.push_back(&place->first);
  return place->second;
}

std::vector<std::vector<std::uint32_t>> TypeSets::all() const {
  std::vector<std::vector<std::uint32_t>> sets;
  for (const auto *set : sets_)
    sets.push_back(*set);
  return sets;
}

} // namespace mapscope
