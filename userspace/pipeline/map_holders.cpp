// Each look asks heap/ once; what is said of a path or a line is worked out when it is shown.
#include "pipeline/map_holders.h"

#include <algorithm>

#include "heap/type_index.h"

namespace mapscope {
namespace {

// Those to the map that has this seed: another one may have lain there before.
std::vector<const LearnedWrite *> writes_to(const LearnedWrites &learned, ProcessAddress map,
                                            std::uint64_t seed) {
  std::vector<const LearnedWrite *> writes;
  for (const LearnedWrite &write :
       std::ranges::equal_range(learned.writes, map, {}, &LearnedWrite::map))
    if (write.seed == seed && seed != 0)
      writes.push_back(&write);
  return writes;
}

bool has(std::span<const std::uint32_t> set, std::uint32_t type) {
  return std::ranges::find(set, type) != set.end();
}

} // namespace

Result<OwnerContext> MapHolders::context(const HeapAnchors &anchors) {
  if (!source_.roots || !source_.symbolizer)
    return fail(Errc::unsupported, "{} does not tell where its object graph begins",
                source_.description);
  return OwnerContext{.anchors = &anchors,
                      .facts = source_.process.facts.get(),
                      .load_bias = source_.process.load_bias,
                      .roots = TRY(source_.roots->roots()),
                      .symbolizer = source_.symbolizer.get()};
}

void MapHolders::release() {
  has_looked_ = has_owners_ = false;
  owners_ = {};
  sites_ = {};
  types_.reset();
  described_.clear();
}

Result<> MapHolders::look(const HeapAnchors &anchors, TypeCheck &type_check, Census &census,
                          const OwnerLimits &limits) {
  has_looked_ = false;
  const OwnerContext context = TRY(this->context(anchors));
  owners_ = TRY(find_owners(*source_.memory, context, type_check, census,
                            has_owners_ ? &owners_ : nullptr, limits));
  has_looked_ = has_owners_ = true;
  if (!source_.is_live)
    owners_.counts.cpu_ms.reset();
  types_ = type_check.index().go_types();
  described_.clear();
  return look_at_sites(anchors, census);
}

// Samples of maps alike are told apart by the types and the owners that this look found.
Result<> MapHolders::look_at_sites(const HeapAnchors &anchors, const Census &census) {
  const BinaryFacts &facts = *source_.process.facts;
  const LoadBias bias = source_.process.load_bias;
  AddressSpace &memory = *source_.memory;
  sites_ = {};
  site_counts_ = {};
  const HeapLayout layout = TRY(HeapLayout::from(facts));
  const HeapRoot root = TRY(find_heap(memory, anchors, layout));
  const SpanTable spans = TRY(SpanTable::read(memory, root, layout));
  auto profile = read_allocation_profile(memory, facts, bias, layout, spans);
  if (!profile) // what is not known of lines is no reason to tell nothing of owners
    return profile.error().code() == Errc::unsupported ? Result<>{}
                                                       : std::unexpected(profile.error());
  const auto parts = TRY(find_sampled_parts(memory, facts, layout, spans, census.maps, *profile));
  std::unordered_map<std::uint64_t, SitePattern> patterns;
  for (const MapPartSample &part : parts)
    patterns.try_emplace(part.map);
  for (std::size_t i = 0; i < census.maps.size() && !patterns.empty(); ++i)
    if (const MapTable::Brief map = census.maps.brief(i); patterns.contains(map.address)) {
      const OwnedMap *owned = owners_.find({map.address}, map.seed);
      patterns[map.address] = {map.types, owned == nullptr ? OwnerPatterns::kNone : owned->pattern};
    }
  sites_ = TRY(MapSites::make(
      *profile, parts, [&](std::uint64_t map) { return patterns[map]; }, facts, bias,
      *source_.symbolizer));
  site_counts_ = profile->counts;
  site_counts_.sampled_maps = sites_.sampled_map_count();
  return {};
}

void MapHolders::tell_types(TypeCheck &type_check, Census &census) {
  if (learned_.writes.empty())
    return;
  TypeIndex &index = type_check.index();
  for (std::size_t i = 0; i < census.maps.size(); ++i) {
    const MapTable::Brief map = census.maps.brief(i);
    std::optional<std::uint32_t> told;
    bool agrees = true;
    for (const LearnedWrite *write : writes_to(learned_, {map.address}, map.seed)) {
      const auto type = index.number_of(write->type.value);
      agrees &= type.has_value() && (!told || told == type);
      told = type;
    }
    // What the map holds may speak against it.
    if (told && agrees && (map.types == kUnknownTypes || has(index.sets()[map.types], *told)))
      census.maps.add_reference(i, index.only(map.types, *told));
  }
  census.type_sets = index.sets().all();
}

Result<> MapHolders::name(LearnedWrites learned) {
  learned_ = std::move(learned);
  write_lines_.clear();
  std::vector<ElfAddress> calls;
  for (const LearnedWrite &write : learned_.writes)
    calls.push_back(call_site(write));
  std::ranges::sort(calls);
  calls.erase(std::ranges::unique(calls).begin(), calls.end());
  std::vector<SourceFrames> frames = TRY(source_.symbolizer->symbolize(calls));
  for (std::size_t i = 0; i < calls.size() && i < frames.size(); ++i)
    if (!frames[i].empty())
      write_lines_.emplace(calls[i].value, std::move(frames[i].front()));
  return {};
}

ElfAddress MapHolders::call_site(const LearnedWrite &write) const {
  constexpr std::uint64_t kCallBytes = 1; // a return address, less this, lies in the call
  return source_.process.load_bias.to_elf({write.return_address.value - kCallBytes});
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

std::vector<SiteShare> MapHolders::written_at(const MapSample &map) const {
  std::vector<SiteShare> shares;
  for (const LearnedWrite *write : writes_to(learned_, map.address, map.seed)) {
    const auto line = write_lines_.find(call_site(*write).value);
    if (line == write_lines_.end())
      continue;
    const auto known = std::ranges::find(shares, line->second, &SiteShare::frame);
    if (known == shares.end())
      shares.push_back({.frame = line->second, .samples = write->hits});
    else
      known->samples += write->hits;
  }
  std::ranges::stable_sort(shares, std::greater{}, &SiteShare::samples);
  return shares;
}

Result<std::vector<OwnerStep>> MapHolders::steps_to(ProcessAddress map, const HeapAnchors &anchors,
                                                    TypeCheck &type_check) {
  if (!has_looked_)
    return std::vector<OwnerStep>{};
  return explain_owner(*source_.memory, TRY(context(anchors)), type_check, owners_, map);
}

} // namespace mapscope
