// The census has read the seeds; here the words are read that led to the maps.
#include "heap/owners/owner_reuse.h"

#include <algorithm>

#include "heap/bulk_read.h"
#include "heap/owners/owner_validation.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kShareMax = 20; // one of so many may be new, or lost
constexpr std::uint64_t kRestMin = 20;  // times what a walk takes, until the next one

struct KnownMap {
  std::size_t row = 0; // in the census
  OwnedMap map;
};

} // namespace

Result<std::optional<Owners>> reuse_owners(AddressSpace &space, TypeIndex &types, Census &census,
                                           const Owners &before, std::uint64_t now_ns) {
  std::vector<KnownMap> known;
  known.reserve(census.maps.size());
  std::uint64_t new_count = before.changed_count;
  for (std::size_t row = 0; row < census.maps.size(); ++row) {
    const MapTable::Brief map = census.maps.brief(row);
    const OwnedMap *owned = before.find({map.address}, map.seed);
    if (owned != nullptr)
      known.push_back({row, *owned});
    else
      ++new_count;
  }
  // Short-lived maps are new in each census; a walk for each would be the census of them, dearer.
  const bool is_walk_due = (now_ns - before.walked_at_ns) / kRestMin >= before.walk_cpu_ns;
  const std::uint64_t new_max = is_walk_due ? census.maps.size() / kShareMax : ~std::uint64_t{0};
  if (new_count > new_max)
    return std::nullopt;

  std::ranges::sort(known, {}, [](const KnownMap &one) { return one.map.address; });
  std::vector<MapClaim> claims;
  claims.reserve(known.size());
  for (const KnownMap &one : known)
    claims.push_back(
        {.address = one.map.address, .word = one.map.word == one.map.address ? 0 : one.map.word});
  TRY(check_words(space, claims));
  std::vector<MapWitness> witnesses;
  witnesses.reserve(known.size());
  for (const auto &[row, map] : known)
    witnesses.push_back(
        {.word = map.word,
         .type = map.type == OwnedMap::kNoType ? 0 : types.types()[map.type].descriptor.value,
         .pattern = map.pattern});
  const std::vector<std::uint32_t> witness_of = take_exchanged_words(claims, witnesses);

  Owners owners{.patterns = before.patterns, .counts = {.was_made = true}};
  owners.changed_count = before.changed_count;
  owners.walked_at_ns = before.walked_at_ns;
  owners.walk_cpu_ns = before.walk_cpu_ns;
  owners.counts.is_complete = before.counts.is_complete;
  owners.counts.goroutines_left_out = before.counts.goroutines_left_out;
  owners.counts.stopped_by = before.counts.stopped_by;
  owners.maps.reserve(known.size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    auto &[row, map] = known[i];
    if (claims[i].word != 0 && !claims[i].does_word_hold) {
      // It moved; what it is does not change.
      map.word = 0;
      map.pattern = OwnerPatterns::kNone;
      map.reach = Reach::unknown;
      ++owners.changed_count;
    } else if (witness_of[i] != i) {
      map.word = witnesses[witness_of[i]].word;
      map.pattern = witnesses[witness_of[i]].pattern;
    }
    owners.counts.maps_reached += map.reach == Reach::reachable;
    owners.counts.maps_unreachable += map.reach == Reach::unreachable;
    owners.maps.push_back(map);
    if (map.type == OwnedMap::kNoType)
      continue;
    const std::uint32_t set = census.maps.brief(row).types;
    const SaidType said = said_type(types, set, types.types()[map.type].descriptor.value, {});
    if (said.outcome == SaidType::Outcome::exact)
      census.maps.add_reference(row, types.only(set, said.type));
  }
  owners.counts.maps_changed = owners.changed_count + (new_count - before.changed_count);
  if (owners.changed_count + (new_count - before.changed_count) > new_max)
    return std::nullopt;
  return owners;
}

} // namespace mapscope
