// Each look asks heap/ once; what is said of a path or a line is worked out when it is shown.
#include "pipeline/map_holders.h"

#include <algorithm>
#include <map>

#include "heap/type_index.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kCallBytes = 1; // a return address, less this, lies in the call

bool has(std::span<const std::uint32_t> set, std::uint32_t type) {
  return std::ranges::find(set, type) != set.end();
}

} // namespace

Result<OwnerContext> MapHolders::context(const HeapAnchors &anchors) {
  if (!source_.roots || !source_.symbolizer)
    return fail(Errc::unsupported, "{} does not tell where its object graph begins",
                source_.description);
  return OwnerContext{.anchors = &anchors,
                      .facts = &source_.process.facts,
                      .load_bias = source_.process.load_bias,
                      .roots = TRY(source_.roots->roots()),
                      .symbolizer = source_.symbolizer.get()};
}

Result<> MapHolders::look(const HeapAnchors &anchors, TypeCheck &type_check, Census &census) {
  has_looked_ = false;
  const OwnerContext context = TRY(this->context(anchors));
  owners_ = TRY(
      find_owners(*source_.memory, context, type_check, census, has_owners_ ? &owners_ : nullptr));
  has_looked_ = has_owners_ = true;
  census.type_sets = type_check.index().sets().all(); // there may be new ones
  types_ = type_check.index().go_types();
  described_.clear();
  return look_at_sites(anchors, census);
}

// Samples of maps alike are told apart by the types and the owners that this look found.
Result<> MapHolders::look_at_sites(const HeapAnchors &anchors, const Census &census) {
  (void)anchors;
  (void)census;
  return {};
}

void MapHolders::tell_types(const LearnedWrites &learned, TypeCheck &type_check, Census &census) {
  TypeIndex &index = type_check.index();
  for (std::size_t i = 0; i < census.maps.size(); ++i) {
    const MapTable::Brief map = census.maps.brief(i);
    const auto [first, last] = std::ranges::equal_range(learned.writes, ProcessAddress{map.address},
                                                        {}, &LearnedWrite::map);
    if (first == last)
      continue;
    const auto type = index.number_of(first->type.value);
    const bool agrees = std::all_of(
        first, last, [&](const LearnedWrite &write) { return write.type == first->type; });
    // What the map holds may speak against it: another one may lie there by now.
    if (!type || !agrees || (map.types != kUnknownTypes && !has(index.sets()[map.types], *type)))
      continue;
    census.maps.add_reference(i, index.only(map.types, *type));
  }
  census.type_sets = index.sets().all();
}

Result<> MapHolders::name(const LearnedWrites &learned) {
  written_.clear();
  std::vector<ElfAddress> calls;
  for (const LearnedWrite &write : learned.writes)
    calls.push_back(source_.process.load_bias.to_elf({write.return_address.value - kCallBytes}));
  std::ranges::sort(calls);
  calls.erase(std::ranges::unique(calls).begin(), calls.end());
  const std::vector<SourceFrames> frames = TRY(source_.symbolizer->symbolize(calls));
  for (const LearnedWrite &write : learned.writes) {
    const ElfAddress call =
        source_.process.load_bias.to_elf({write.return_address.value - kCallBytes});
    const auto at = static_cast<std::size_t>(std::ranges::lower_bound(calls, call) - calls.begin());
    if (at >= frames.size() || frames[at].empty())
      continue;
    std::vector<SiteShare> &shares = written_[write.map.value];
    const auto known = std::ranges::find(shares, frames[at].front(), &SiteShare::frame);
    if (known == shares.end())
      shares.push_back({.frame = frames[at].front(), .samples = write.hits});
    else
      known->samples += write.hits;
  }
  for (auto &[map, shares] : written_)
    std::ranges::stable_sort(shares, std::greater{}, &SiteShare::samples);
  return {};
}

Reach MapHolders::reach_of(const MapSample &map) const {
  const OwnedMap *found = find(map);
  return found == nullptr ? Reach::unknown : found->reach;
}

std::uint32_t MapHolders::pattern_of(const MapSample &map) const {
  const OwnedMap *found = find(map);
  return found == nullptr ? OwnerPatterns::kNone : found->pattern;
}

const MapOwner &MapHolders::owner_of(const MapSample &map) const {
  static const MapOwner kUnknown, kUnreachable{.reach = Reach::unreachable};
  const OwnedMap *found = find(map);
  if (found == nullptr || found->reach == Reach::unknown)
    return kUnknown;
  if (found->reach == Reach::unreachable)
    return kUnreachable;
  auto [described, is_new] = described_.try_emplace(found->pattern);
  if (is_new) {
    described->second = owners_.patterns.describe(found->pattern, *types_);
    described->second.reach = Reach::reachable;
  }
  return described->second;
}

MapSite MapHolders::site_of(const MapSample &map) const {
  return has_looked_ ? sites_.of(map.address.value, {map.types, pattern_of(map)}) : MapSite{};
}

std::vector<SiteShare> MapHolders::written_at(ProcessAddress map) const {
  const auto found = written_.find(map.value);
  return found == written_.end() ? std::vector<SiteShare>{} : found->second;
}

Result<std::vector<OwnerStep>> MapHolders::steps_to(ProcessAddress map, const HeapAnchors &anchors,
                                                    TypeCheck &type_check) {
  if (!has_looked_)
    return std::vector<OwnerStep>{};
  return explain_owner(*source_.memory, TRY(context(anchors)), type_check, owners_, map);
}

} // namespace mapscope
