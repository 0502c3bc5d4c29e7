// Adds up all maps in one pass, and judges in words only those that are shown.
#include "pipeline/map_survey.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "base/clock.h"
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

MapSurvey::MapSurvey(MapSource &source, bool remembers)
    : source_(source), anchors_(HeapAnchors::of(source.process.facts, source.process.load_bias)),
      judge_(source.process.facts) {
  if (remembers)
    memory_.emplace();
}

Result<> MapSurvey::look() {
  if (source_.is_live)
    source_.process.wall_time_ns = now_ns(CLOCK_REALTIME);
  census_ = {}; // a million maps are not kept twice
  census_ = TRY(take_census(*source_.memory, anchors_, source_.process.facts,
                            {.residency = true, .memory = memory_ ? &*memory_ : nullptr}));
  TRY(look_at_stacks());
  type_sets_.clear();
  for (const std::vector<std::uint32_t> &set : census_.type_sets) {
    Types &types = type_sets_.emplace_back();
    for (std::uint32_t index : set)
      types.push_back(&census_.types[index]);
  }
  return {};
}

Result<> MapSurvey::look_at_stacks() {
  stacks_searched_ = false;
  const BinaryFacts &facts = source_.process.facts;
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

namespace {

// The order as a number: what has the larger one comes first.
std::uint64_t rank_of(const MapSample &map, MapOrder order,
                      std::optional<std::uint64_t> reclaimable, std::uint64_t type_rank) {
  constexpr std::uint64_t kFillSteps = 1 << 20;
  switch (order) {
  case MapOrder::reclaimable:
    return reclaimable.value_or(0);
  case MapOrder::bytes:
    return map.bytes.total();
  case MapOrder::len:
    return map.len;
  case MapOrder::slots:
    return map.slots;
  case MapOrder::fill:
    return map.slots == 0 ? 0 : UINT64_MAX - map.len * kFillSteps / map.slots;
  case MapOrder::resident:
    return map.resident_bytes;
  case MapOrder::tombstones:
    return map.tombstones;
  case MapOrder::address:
    return UINT64_MAX - map.address.value;
  case MapOrder::type:
    return UINT64_MAX - type_rank;
  }
  return 0;
}

// The same of a group; what has no number there is ordered by bytes.
std::uint64_t rank_of(const MapTotals &totals, MapOrder order, std::uint64_t type_rank) {
  switch (order) {
  case MapOrder::reclaimable:
    return totals.reclaimable_bytes;
  case MapOrder::len:
    return totals.entries;
  case MapOrder::slots:
    return totals.slots;
  case MapOrder::resident:
    return totals.resident_bytes.value_or(0);
  case MapOrder::type:
    return UINT64_MAX - type_rank;
  default:
    return totals.bytes;
  }
}

// The best of what is added, as many as are wanted.
class Best {
public:
  explicit Best(std::size_t wanted) : wanted_(wanted) {}

  // Among equals, more bytes come first, then what was added first.
  void add(std::uint64_t rank, std::uint64_t bytes, std::size_t index) {
    worst_first_.push({rank, bytes, ~index});
    if (wanted_ != 0 && worst_first_.size() > wanted_)
      worst_first_.pop();
  }

  std::vector<std::size_t> take() {
    std::vector<std::size_t> indexes;
    for (; !worst_first_.empty(); worst_first_.pop())
      indexes.push_back(~std::get<2>(worst_first_.top()));
    std::ranges::reverse(indexes);
    return indexes;
  }

private:
  using Ranked = std::tuple<std::uint64_t, std::uint64_t, std::size_t>;
  std::size_t wanted_; // 0: all
  std::priority_queue<Ranked, std::vector<Ranked>, std::greater<>> worst_first_;
};

} // namespace

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

MapsReport MapSurvey::report(const MapSelection &selection) const {
  MapsReport report = start_report();
  const std::vector<bool> wanted = wanted_types(selection);
  const std::vector<std::uint64_t> place = alphabet();
  std::vector<MapTotals> groups(selection.group_by == MapGroupBy::type ? type_sets_.size() : 0);
  Best best{selection.top};
  for (std::size_t i = 0; i < census_.maps.size(); ++i) {
    const MapSample map = census_.maps[i];
    if (map.evidence == MapEvidence::plausible) {
      ++report.plausible;
      report.plausible_bytes += map.bytes.total();
      continue;
    }
    add_to(report.totals, map);
    if (map.bytes.total() < selection.min_bytes || !wanted[map.types])
      continue;
    ++report.selected;
    if (selection.group_by == MapGroupBy::type) {
      add_to(groups[map.types], map);
      continue;
    }
    auto reclaimable = selection.order == MapOrder::reclaimable
                           ? judge_.reclaimable_bytes(map, types_of(map))
                           : std::nullopt;
    best.add(rank_of(map, selection.order, reclaimable, place[map.types]), map.bytes.total(), i);
  }
  for (std::size_t set = 0; set < groups.size(); ++set)
    if (groups[set].maps != 0)
      best.add(rank_of(groups[set], selection.order, place[set]), groups[set].bytes, set);
  for (std::size_t index : best.take())
    if (selection.group_by == MapGroupBy::type) {
      JudgedMap names = judge_.judge({}, type_sets_[index]);
      report.groups.push_back({.type = std::move(names.type),
                               .certainty = names.certainty,
                               .candidates = std::move(names.candidates),
                               .candidate_count = names.candidate_count,
                               .totals = groups[index]});
    } else {
      report.maps.push_back(judged(census_.maps[index]));
    }
  return report;
}

MapsReport MapSurvey::start_report() const {
  const SnapshotProcess &process = source_.process;
  MapsReport report{.pid = process.pid,
                    .exe = process.exe,
                    .go_version = process.facts.go_version,
                    .implementation = process.facts.map_implementation,
                    .source = source_.description,
                    .wall_time_ns = process.wall_time_ns,
                    .heap = census_.heap,
                    .counts = census_.counts,
                    .stacks_searched = stacks_searched_};
  return report;
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
  MapsLook look{
      .source = source_.description,
      .process = fmt::format("{} (pid {}), {}", process.exe, process.pid, process.facts.go_version),
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
    MapAnatomy anatomy = TRY(take_apart(*source_.memory, anchors_, source_.process.facts, address,
                                        type, {.payload = with_payload}));
    anatomy.map.types = map.types; // the rest is newer than what the census saw
    anatomy.map.evidence = map.evidence;
    return MapExplanation{judged(anatomy.map), std::move(anatomy), type};
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
