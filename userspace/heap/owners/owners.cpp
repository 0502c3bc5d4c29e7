// From roots to witnesses, and from these to what still holds.
#include "heap/owners/owners.h"

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "heap/owners/graph_pass.h"
#include "heap/owners/owner_reuse.h"
#include "heap/owners/owner_validation.h"

namespace mapscope {
namespace {

// One map of the census, and what the walk says of it.
struct FoundMap {
  MapClaim claim;
  std::uint32_t row = 0;    // in the census
  bool is_disputed = false; // what words say of its type, its contents or other words contradict
  MapEvidence evidence = MapEvidence::plausible;
  OwnedMap owned;
};

// What words say of maps: as GraphWalk has it.
struct Heard {
  std::vector<MapWitness> witnesses;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> other_types;
};

class OwnerFinder {
public:
  OwnerFinder(AddressSpace &space, const OwnerContext &context, TypeCheck &type_check,
              Census &census, const OwnerLimits &limits)
      : space_(space), context_(context), types_(type_check.index()), census_(census),
        limits_(limits), start_ns_(now_ns(CLOCK_THREAD_CPUTIME_ID)) {}

  Result<Owners> find(OwnerPatterns patterns);

private:
  void list_maps();
  Result<> walk(std::span<FoundMap> maps);
  Result<> follow_contents(std::span<FoundMap> maps);
  Result<> validate(std::span<FoundMap> maps, const Heard &heard);
  void settle_disputes(std::span<FoundMap> maps);
  void judge(FoundMap &map, std::span<const std::pair<std::uint32_t, std::uint64_t>> others,
             std::uint64_t type);
  Result<> confirm_unreached();
  bool is_unreached(const FoundMap &map) const;
  void tell_unreached(std::span<FoundMap *const> maps);
  void add_stack_maps();
  void add_counts();
  OwnerLimits limits_left() const;

  AddressSpace &space_;
  OwnerContext context_;
  TypeIndex &types_;
  Census &census_;
  OwnerLimits limits_;
  std::uint64_t start_ns_;
  std::unique_ptr<GraphPass> pass_;
  std::vector<FoundMap> maps_; // on the heap, in the order of addresses
  std::vector<FoundMap> stack_maps_;
  OwnerCounts counts_;
};

void OwnerFinder::list_maps() {
  for (std::uint32_t row = 0; row < census_.maps.size(); ++row) {
    const MapTable::Brief map = census_.maps.brief(row);
    FoundMap found{.claim = {.address = map.address, .seed = map.seed},
                   .row = row,
                   .evidence = map.evidence,
                   .owned = {.address = map.address, .seed = static_cast<std::uint32_t>(map.seed)}};
    (pass_->spans().find_object(map.address) ? maps_ : stack_maps_).push_back(found);
  }
  std::ranges::sort(maps_, {}, [](const FoundMap &map) { return map.claim.address; });
  const auto repeated =
      std::ranges::unique(maps_, {}, [](const FoundMap &map) { return map.claim.address; });
  maps_.erase(repeated.begin(), repeated.end());
}

OwnerLimits OwnerFinder::limits_left() const {
  OwnerLimits left = limits_;
  const auto spent = std::chrono::nanoseconds{now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns_};
  left.cpu_max = std::max(std::chrono::milliseconds{0},
                          std::chrono::duration_cast<std::chrono::milliseconds>(
                              std::chrono::nanoseconds{limits_.cpu_max} - spent));
  return left;
}

Result<> OwnerFinder::walk(std::span<FoundMap> maps) {
  std::vector<std::uint64_t> addresses;
  addresses.reserve(maps.size());
  for (const FoundMap &map : maps)
    addresses.push_back(map.claim.address);
  TRY(pass_->walk(addresses, limits_left()));
  TRY(follow_contents(maps));
  const auto witnesses = pass_->graph().witnesses();
  const auto others = pass_->graph().other_types();
  const Heard heard{{witnesses.begin(), witnesses.end()}, {others.begin(), others.end()}};
  TRY(pass_->follow_to_the_end());
  TRY(validate(maps, heard));
  add_counts();
  return {};
}

// Maps that untyped words lead to, and whose contents leave one type: what is in them has types
// then, too. Each round may reach more of them.
Result<> OwnerFinder::follow_contents(std::span<FoundMap> maps) {
  constexpr unsigned kRoundsMax = 8;
  std::vector<bool> is_done(maps.size());
  std::vector<GraphRoot> seeds;
  for (unsigned round = 0; round < kRoundsMax; ++round) {
    seeds.clear();
    const auto witnesses = pass_->graph().witnesses();
    for (std::size_t i = 0; i < maps.size(); ++i) {
      const MapWitness &witness = witnesses[i];
      const auto set = types_.sets()[census_.maps.brief(maps[i].row).types];
      if (is_done[i] || witness.word == 0 || witness.type != 0 || set.size() != 1 ||
          maps[i].evidence == MapEvidence::plausible || types_.types()[set[0]].is_shape)
        continue;
      is_done[i] = true;
      seeds.push_back({.address = witness.word,
                       .type = types_.types()[set[0]].descriptor.value,
                       .pattern = witness.pattern});
    }
    if (seeds.empty())
      return {};
    TRY(pass_->follow(seeds));
  }
  return {};
}

Result<> OwnerFinder::validate(std::span<FoundMap> maps, const Heard &heard) {
  const auto &witnesses = heard.witnesses;
  for (std::size_t i = 0; i < maps.size(); ++i)
    maps[i].claim.word = witnesses[i].word;
  std::vector<MapClaim> claims;
  claims.reserve(maps.size());
  for (const FoundMap &map : maps)
    claims.push_back(map.claim);
  TRY(check_copies(space_, pass_->layout(), census_.copies, claims));
  TRY(check_claims(space_, pass_->layout(), claims));
  const std::vector<std::uint32_t> witness_of = take_exchanged_words(claims, witnesses);
  // Types were believed of what these words are part of.
  std::vector<std::uint64_t> words;
  words.reserve(claims.size());
  for (const MapClaim &claim : claims)
    words.push_back(claim.word);
  const std::vector<bool> hold = TRY(pass_->graph().still_hold(words));
  for (std::size_t i = 0; i < claims.size(); ++i)
    claims[i].does_word_hold = claims[i].does_word_hold && hold[i];

  auto others = heard.other_types;
  std::ranges::sort(others);
  auto other = others.begin();
  for (std::uint32_t i = 0; i < maps.size(); ++i) {
    const auto first = other;
    while (other != others.end() && other->first == i)
      ++other;
    maps[i].claim = claims[i];
    maps[i].owned.pattern = witnesses[witness_of[i]].pattern;
    judge(maps[i], {first, other}, witnesses[i].type);
  }
  settle_disputes(maps);
  return {};
}

// Who says of an object what it is not holds it all the same. But where things changed, the word
// may be part of another object by now.
void OwnerFinder::settle_disputes(std::span<FoundMap> maps) {
  if (counts_.maps_changed == 0)
    return;
  for (FoundMap &map : maps)
    if (map.is_disputed) {
      map.owned.word = 0;
      map.owned.pattern = OwnerPatterns::kNone;
      map.owned.reach = Reach::unknown;
      ++counts_.maps_changed;
    }
}

// What is not said here stays unknown: a map that became another one, or that moved.
void OwnerFinder::judge(FoundMap &map,
                        std::span<const std::pair<std::uint32_t, std::uint64_t>> others,
                        std::uint64_t type) {
  OwnedMap &owned = map.owned;
  const std::uint32_t pattern = std::exchange(owned.pattern, OwnerPatterns::kNone);
  const MapClaim &claim = map.claim;
  if (!claim.is_same_map || (claim.word != 0 && !claim.does_word_hold)) {
    ++counts_.maps_changed;
    return;
  }
  // Nothing but a word that has the type of a map proves that a header without contents is one, and
  // tells a header from its copy.
  if (claim.word == 0 || (type == 0 && (map.evidence == MapEvidence::plausible || claim.has_copy)))
    return;
  const std::uint32_t set = census_.maps.brief(map.row).types;
  const SaidType said = said_type(types_, set, type, others);
  owned.word = claim.word;
  owned.pattern = pattern;
  owned.reach = Reach::reachable;
  map.is_disputed = said.outcome == SaidType::Outcome::disagreement;
  if (map.is_disputed)
    return;
  if (type != 0)
    census_.maps.add_reference(
        map.row, said.outcome == SaidType::Outcome::exact ? types_.only(set, said.type) : set);
  if (said.outcome == SaidType::Outcome::exact)
    owned.type = said.type;
}

// A program that goes on while it is looked at can move a map from where the walk has not been to
// where it has. So where anything changed, what was not reached is looked for a second time.
Result<> OwnerFinder::confirm_unreached() {
  std::vector<FoundMap *> unreached;
  for (FoundMap &map : maps_)
    if (is_unreached(map))
      unreached.push_back(&map);
  if (unreached.empty() || !pass_->is_complete())
    return {};
  if (counts_.maps_changed == 0) {
    tell_unreached(unreached);
    return {};
  }
  std::vector<FoundMap> again;
  for (const FoundMap *map : unreached)
    again.push_back(*map);
  OwnerPatterns patterns = std::move(pass_->patterns());
  const GoTypes types = pass_->types();
  pass_ = TRY(GraphPass::prepare(space_, context_, types, std::move(patterns)));
  TRY(walk(again));
  for (std::size_t i = 0; i < again.size(); ++i)
    *unreached[i] = again[i];
  std::erase_if(unreached, [&](const FoundMap *map) { return !is_unreached(*map); });
  if (pass_->is_complete())
    tell_unreached(unreached);
  return {};
}

// What a word leads to that is none of a map's is no map, but it is not garbage either.
bool OwnerFinder::is_unreached(const FoundMap &map) const {
  return map.claim.is_same_map && map.claim.word == 0 &&
         pass_->graph().pattern_of(map.claim.address) == OwnerPatterns::kNone;
}

void OwnerFinder::tell_unreached(std::span<FoundMap *const> maps) {
  for (FoundMap *map : maps)
    map->owned.reach = Reach::unreachable;
  counts_.maps_unreachable = maps.size();
}

// Their header is the frame's: no word leads to it.
void OwnerFinder::add_stack_maps() {
  for (FoundMap &map : stack_maps_) {
    const std::uint32_t pattern = pass_->pattern_on_stack(map.claim.address);
    if (pattern == OwnerPatterns::kNone)
      continue;
    map.owned.word = map.claim.address;
    map.owned.pattern = pattern;
    map.owned.reach = Reach::reachable;
  }
}

// Of one walk, added to those of the walk before.
void OwnerFinder::add_counts() {
  const OwnerCounts &walk = pass_->graph().counts();
  counts_.objects_typed += walk.objects_typed;
  counts_.objects_untyped += walk.objects_untyped;
  counts_.bytes_read += walk.bytes_read;
  counts_.bytes_scanned += walk.bytes_scanned;
  counts_.words_followed += walk.words_followed;
  counts_.words_refused += walk.words_refused;
  counts_.goroutines_left_out = pass_->goroutines_left_out();
  counts_.stopped_by = pass_->incomplete_because();
  counts_.is_complete = pass_->is_complete();
}

Result<Owners> OwnerFinder::find(OwnerPatterns patterns) {
  pass_ = TRY(GraphPass::prepare(space_, context_, types_.go_types(), std::move(patterns)));
  list_maps();
  TRY(walk(maps_));
  add_stack_maps();
  TRY(confirm_unreached());
  TRY(pass_->name_functions());

  Owners owners{.patterns = std::move(pass_->patterns())};
  for (const std::vector<FoundMap> *maps : {&maps_, &stack_maps_})
    for (const FoundMap &map : *maps) {
      owners.maps.push_back(map.owned);
      counts_.maps_reached += map.owned.reach == Reach::reachable;
    }
  std::ranges::sort(owners.maps, {}, &OwnedMap::address);
  counts_.was_made = true;
  owners.walk_cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns_;
  owners.walked_at_ns = now_ns(CLOCK_MONOTONIC);
  counts_.cpu_ms = owners.walk_cpu_ns / 1'000'000;
  owners.counts = counts_;
  return owners;
}

} // namespace

const OwnedMap *Owners::find(ProcessAddress address, std::uint64_t seed) const {
  auto map = std::ranges::lower_bound(maps, address.value, {}, &OwnedMap::address);
  return map != maps.end() && map->address == address.value &&
                 map->seed == static_cast<std::uint32_t>(seed)
             ? &*map
             : nullptr;
}

Result<Owners> find_owners(AddressSpace &space, const OwnerContext &context, TypeCheck &type_check,
                           Census &census, const Owners *before, const OwnerLimits &limits) {
  const std::uint64_t start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  std::optional<Owners> owners;
  if (before != nullptr && before->counts.was_made)
    owners = TRY(reuse_owners(space, type_check.index(), census, *before, now_ns(CLOCK_MONOTONIC)));
  if (owners)
    owners->counts.cpu_ms = (now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / 1'000'000;
  else
    owners = TRY(OwnerFinder(space, context, type_check, census, limits)
                     .find(before == nullptr ? OwnerPatterns{} : before->patterns));
  census.types = type_check.index().types();
  census.type_sets = type_check.index().sets().all();
  return *std::move(owners);
}

} // namespace mapscope
