// Adds up all maps in one pass, and judges in words only those that are shown.
#include "pipeline/map_survey.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/clock.h"
#include "go/unknown_release.h"
#include "heap/anatomy.h"
#include "heap/stack_maps.h"
#include "judge/option_words.h"
#include "report/maps_words.h"

namespace mapscope {
namespace {

TypeCertainty certainty_of(std::span<const MapTypeLayout *const> types) {
  return types.empty()                                   ? TypeCertainty::unknown
         : types.size() == 1 && !types.front()->is_shape ? TypeCertainty::exact
                                                         : TypeCertainty::candidate;
}

} // namespace

MapSurvey::MapSurvey(MapSource &source, const SurveyOptions &options)
    : source_(source), options_(options),
      anchors_(HeapAnchors::of(*source.process.facts, source.process.load_bias)),
      judge_(*source.process.facts), holders_(source) {
  if (options.remembers)
    memory_ = std::make_unique<CensusMemory>();
}

Result<> MapSurvey::look() {
  if (source_.is_live)
    source_.process.wall_time_ns = now_ns(CLOCK_REALTIME);
  census_ = {}; // a million maps are not kept twice
  census_ = TRY(take_census(*source_.memory, anchors_, *source_.process.facts,
                            {.residency = options_.residency, .memory = memory_.get()}));
  TRY(look_at_stacks());
  TRY(look_at_holders());
  name_type_sets();
  return {};
}

void MapSurvey::name_type_sets() {
  type_sets_.clear();
  for (const std::vector<std::uint32_t> &set : census_.type_sets) {
    Types &types = type_sets_.emplace_back();
    for (std::uint32_t index : set)
      types.push_back(&census_.types[index]);
  }
}

Result<> MapSurvey::learn(LearnedWrites writes) {
  has_learned_ = true;
  return holders_.name(std::move(writes));
}

bool MapSurvey::is_walk_cheap() const {
  constexpr std::uint64_t kWalkedBytesMax = 48 << 20, kExecutableBytesMax = 48 << 20;
  std::uint64_t walked_bytes = 0;
  for (const SizeClassUse &size_class : census_.heap.size_classes)
    if (size_class.has_pointers)
      walked_bytes += size_class.span_bytes;
  return walked_bytes <= kWalkedBytesMax &&
         source_.process.facts->file_size_bytes <= kExecutableBytesMax;
}

Result<> MapSurvey::look_at_holders() {
  holders_.forget_look();
  if (!census_.type_check)
    return {};
  holders_.tell_types(*census_.type_check, census_);
  if (options_.owners == OwnersWanted::no ||
      (options_.owners == OwnersWanted::automatic && !is_walk_cheap()))
    return {};
  auto looked = holders_.look(anchors_, *census_.type_check, census_);
  if (looked || options_.owners == OwnersWanted::yes || looked.error().code() == Errc::gone)
    return looked;
  return {}; // nobody asked
}

Result<> MapSurvey::look_at_stacks() {
  stacks_searched_ = false;
  const BinaryFacts &facts = *source_.process.facts;
  if (facts.all_goroutines.value == 0)
    return {};
  auto found = find_stack_maps(*source_.memory, anchors_, facts,
                               source_.process.load_bias.to_process(facts.all_goroutines));
  if (!found) {
    // What a core file or a hostile process does not tell is no reason to tell nothing.
    const Errc code = found.error().code();
    return code == Errc::unsupported || code == Errc::malformed || code == Errc::not_found
               ? Result<>{}
               : std::unexpected(std::move(found).error());
  }
  stacks_searched_ = true;
  census_.counts.stack_left_out_count = found->left_out_count;
  for (const StackMap &map : found->maps)
    census_.maps.add(map.map);
  return {};
}

void MapSurvey::add_to(MapTotals &totals, const MapSample &map) const {
  ++totals.maps;
  totals.entries += map.len;
  totals.slots += map.slots;
  totals.bytes += map.bytes.total();
  totals.in_motion += map.is_in_motion;
  auto reclaimable = judge_.reclaimable_bytes(map, types_of(map));
  totals.reclaimable_bytes += reclaimable.value_or(0);
  totals.reclaimable_unknown += !reclaimable;
  if (census_.has_residency) {
    totals.resident_bytes = totals.resident_bytes.value_or(0) + map.resident_bytes;
    totals.swapped_bytes = totals.swapped_bytes.value_or(0) + map.swapped_bytes;
  }
  switch (certainty_of(types_of(map))) {
  case TypeCertainty::exact:
    ++totals.exact_types;
    break;
  case TypeCertainty::candidate:
    ++totals.candidate_types;
    break;
  case TypeCertainty::unknown:
    ++totals.unknown_types;
  }
  totals.proved += map.evidence == MapEvidence::proved;
  totals.referenced += map.evidence == MapEvidence::referenced;
  totals.consistent += map.evidence == MapEvidence::consistent;
}

std::string MapSurvey::name_of(const Types &types) const {
  return types.empty() ? std::string{} : type_text(judge_.judge({}, types));
}

std::vector<bool> MapSurvey::wanted_types(const MapSelection &selection) const {
  std::vector<bool> wanted;
  for (const Types &types : type_sets_)
    wanted.push_back(selection.type.empty() ||
                     std::ranges::any_of(types, [&](const MapTypeLayout *type) {
                       return matches_type_name(selection.type, type->type.name);
                     }));
  return wanted;
}

std::vector<std::uint64_t> MapSurvey::alphabet() const {
  std::vector<std::pair<std::string, std::size_t>> names;
  for (const Types &types : type_sets_)
    names.emplace_back(name_of(types), names.size());
  std::ranges::sort(names);
  std::vector<std::uint64_t> place(names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    place[names[i].second] = names[i].first.empty() ? names.size() : i; // not known: the last
  return place;
}

bool MapSurvey::wants_holders(const MapSample &map, const MapSelection &selection) const {
  if (!selection.owner.empty()) {
    const MapOwner &owner = holders_.owner_of(map);
    if (owner.reach != Reach::reachable || (!matches_type_name(selection.owner, owner.path) &&
                                            !matches_type_name(selection.owner, owner.root) &&
                                            !matches_type_name(selection.owner, owner.holder)))
      return false;
  }
  return selection.site.empty() ||
         std::ranges::any_of(holders_.site_of(map).shares, [&](const SiteShare &share) {
           return matches_type_name(selection.site, share.frame.function) ||
                  matches_type_name(selection.site,
                                    fmt::format("{}:{}", share.frame.file, share.frame.line));
         });
}

void MapSurvey::add_to_report(MapsReport &report, const MapSample &map) const {
  add_to(report.totals, map);
  if (const Reach reach = holders_.reach_of(map); reach != Reach::unknown)
    add_to(reach == Reach::reachable ? report.reachable : report.unreachable, map);
}

MapsReport MapSurvey::report(const MapSelection &selection) const {
  MapsReport report = start_report();
  report.group_by = selection.group_by;
  const std::vector<bool> wanted = wanted_types(selection);
  const std::vector<std::uint64_t> place = alphabet();
  MapGroups groups(selection.group_by, holders_);
  BestMaps best{selection.top};
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    if (map.evidence == MapEvidence::plausible) {
      ++report.plausible;
      report.plausible_bytes += map.bytes.total();
      continue;
    }
    add_to_report(report, map);
    if (map.bytes.total() < selection.min_bytes || !wanted[map.types] ||
        !wants_holders(map, selection))
      continue;
    ++report.selected;
    if (selection.group_by != MapGroupBy::none) {
      add_to(groups.totals(groups.group_of(map)), map);
      continue;
    }
    auto reclaimable = selection.order == MapOrder::reclaimable
                           ? judge_.reclaimable_bytes(map, types_of(map))
                           : std::nullopt;
    best.add(rank_of(map, selection.order, reclaimable, place[map.types]), map.bytes.total(), i);
  }
  if (selection.group_by != MapGroupBy::none)
    add_groups(report, selection, groups, place);
  else
    for (std::size_t index : best.take())
      report.maps.push_back(judged(census_.maps[index]));
  return report;
}

void MapSurvey::add_groups(MapsReport &report, const MapSelection &selection, MapGroups &groups,
                           std::span<const std::uint64_t> alphabet) const {
  BestMaps best{selection.top};
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const std::uint32_t types = groups.types(group);
    best.add(rank_of(groups.totals(group), selection.order,
                     types == MapGroups::kMixed ? alphabet.size() : alphabet[types]),
             groups.totals(group).bytes, group);
  }
  for (std::size_t index : best.take()) {
    MapGroup row = groups.row(index);
    if (groups.types(index) != MapGroups::kMixed) {
      JudgedMap names = judge_.judge({}, type_sets_[groups.types(index)]);
      row.type = std::move(names.type);
      row.certainty = names.certainty;
      row.candidates = std::move(names.candidates);
      row.candidate_count = names.candidate_count;
    }
    report.groups.push_back(std::move(row));
  }
}

JudgedMap MapSurvey::judged(const MapSample &map) const {
  JudgedMap judged =
      judge_.judge(map, types_of(map), holders_.owner_of(map), holders_.site_of(map));
  judged.written_at = holders_.written_at(map);
  return judged;
}

MapsReport MapSurvey::start_report() const {
  const SnapshotProcess &process = source_.process;
  MapsReport report{.pid = process.pid,
                    .exe = process.exe,
                    .go_version = process.facts->go_version,
                    .implementation = process.facts->map_implementation,
                    .source = source_.description,
                    .wall_time_ns = process.wall_time_ns,
                    .heap = census_.heap,
                    .counts = census_.counts,
                    .stacks_searched = stacks_searched_};
  if (!process.facts->is_known_release)
    report.remarks.push_back(supposed_rules(*process.facts));
  if (has_learned_)
    report.learned = holders_.learned();
  if (holders_.has_looked()) {
    report.owners = holders_.counts();
    report.sites = holders_.site_counts();
    report.site_uses = holders_.site_uses();
  }
  return report;
}

MapsProfile MapSurvey::profile() const {
  MapsProfile profile{.uses = holders_.has_looked() ? holders_.site_uses() : std::vector<SiteUse>{},
                      .wall_time_ns = source_.process.wall_time_ns,
                      .exe = source_.process.exe};
  using Key = std::tuple<std::uint32_t, std::uint32_t, Reach, std::string>;
  std::map<Key, std::size_t> rows;
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    if (map.evidence == MapEvidence::plausible)
      continue;
    MapSite site = holders_.site_of(map);
    std::string line = site.shares.empty() ? std::string{}
                                           : fmt::format("{}:{}", site.shares.front().frame.file,
                                                         site.shares.front().frame.line);
    const auto [known, is_new] = rows.try_emplace(
        Key{map.types, holders_.pattern_of(map), holders_.reach_of(map), std::move(line)},
        profile.rows.size());
    if (is_new)
      profile.rows.push_back({.type = name_of(type_sets_[map.types]),
                              .owner = holders_.owner_of(map),
                              .sites = std::move(site.shares)});
    MapsProfileRow &row = profile.rows[known->second];
    ++row.maps;
    row.bytes += map.bytes.total();
    row.entries += map.len;
    row.reclaimable_bytes += judge_.reclaimable_bytes(map, types_of(map)).value_or(0);
  }
  return profile;
}

MapFigures MapSurvey::figures() const {
  MapFigures figures{.unsettled = census_.counts.unsettled_count};
  std::uint64_t resident = 0;
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    if (map.evidence == MapEvidence::plausible)
      continue;
    figures.add(map.len, map.slots, map.tombstones, map.bytes.total(),
                judge_.reclaimable_bytes(map, types_of(map)));
    resident += map.resident_bytes;
  }
  if (census_.has_residency)
    figures.resident_bytes = resident;
  return figures;
}

MapsLook MapSurvey::all() const {
  const SnapshotProcess &process = source_.process;
  MapsLook look{.source = source_.description,
                .process = fmt::format("{} (pid {}), {}", process.exe, process.pid,
                                       process.facts->go_version),
                .wall_time_ns = process.wall_time_ns,
                .unsettled = census_.counts.unsettled_count};
  for (const Types &types : type_sets_)
    look.types.push_back(name_of(types));
  for (std::size_t i = 0; i < census_.maps.size(); ++i)
    if (const MapSample map = census_.maps[i]; map.evidence != MapEvidence::plausible)
      look.maps.push_back({.address = map.address,
                           .seed = map.seed,
                           .type = map.types,
                           .len = map.len,
                           .bytes = map.bytes.total(),
                           .reclaimable_bytes = judge_.reclaimable_bytes(map, types_of(map))});
  return look;
}

Result<MapExplanation> MapSurvey::explain(ProcessAddress address, bool with_payload) {
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    if (map.address != address)
      continue;
    auto types = types_of(map);
    const MapTypeLayout *type = certainty_of(types) == TypeCertainty::exact ? types[0] : nullptr;
    MapAnatomy anatomy = TRY(take_apart(*source_.memory, anchors_, *source_.process.facts, address,
                                        type, {.payload = with_payload}));
    anatomy.map.types = map.types; // the rest is newer than what the census saw
    anatomy.map.evidence = map.evidence;
    MapExplanation explanation{judged(anatomy.map), std::move(anatomy), type};
    if (census_.type_check)
      explanation.owner_steps = TRY(holders_.steps_to(address, anchors_, *census_.type_check));
    return explanation;
  }
  for (const HeaderCopy &copy : census_.copies)
    if (copy.address == address)
      return fail(Errc::not_found,
                  "{:#x} is a copy of a map's header, or the map that was copied: another header "
                  "points to the same entries",
                  address.value);
  return fail(Errc::not_found, "there is no map at {:#x}; `maps --top 0` lists all of them",
              address.value);
}

} // namespace mapscope
