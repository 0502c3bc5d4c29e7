// Reads in bulk, since maps and what leads to them lie close together.
#include "heap/owners/owner_validation.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "flow/map_sample.h"
#include "go/type_descriptor.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGapBytes = 2048; // between two that are read together
constexpr std::size_t kAtOnce = 1 << 14;

// Visits what lies at `address_of` each of `order`, which is in the order of these addresses.
template <typename AddressOf, typename Visit>
Result<> read_words(AddressSpace &space, std::span<const std::uint32_t> order,
                    std::uint32_t size_bytes, AddressOf address_of, Visit visit) {
  std::vector<WantedRange> ranges;
  for (; !order.empty(); order = order.subspan(std::min(kAtOnce, order.size()))) {
    const auto some = order.first(std::min(kAtOnce, order.size()));
    ranges.clear();
    for (const std::uint32_t number : some)
      ranges.push_back({address_of(number), size_bytes});
    TRY(read_sorted(
        space, ranges, kGapBytes,
        [&](std::size_t index, std::span<const std::byte> bytes) { visit(some[index], bytes); }));
  }
  return {};
}

std::uint64_t key_of(const TypeIndex &types, std::uint32_t type, std::uint64_t field) {
  return types.go_types().memory().word(types.types()[type].descriptor.value + field).value_or(0);
}

} // namespace

Result<> check_words(AddressSpace &space, std::span<MapClaim> claims) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t number = 0; number < claims.size(); ++number)
    if (claims[number].word != 0)
      order.push_back(number);
  std::ranges::sort(order, {}, [&](std::uint32_t number) { return claims[number].word; });
  return read_words(
      space, order, sizeof(std::uint64_t),
      [&](std::uint32_t number) { return claims[number].word; },
      [&](std::uint32_t number, std::span<const std::byte> bytes) {
        MapClaim &claim = claims[number];
        claim.now = bytes.size() == sizeof(std::uint64_t) ? load<std::uint64_t>(bytes, 0) : 0;
        claim.does_word_hold = claim.now == claim.address;
      });
}

Result<> check_claims(AddressSpace &space, const HeapLayout &layout, std::span<MapClaim> claims) {
  TRY(check_words(space, claims));
  const bool is_swiss = layout.maps == MapImplementation::swiss;
  const std::uint32_t at = is_swiss ? layout.swiss.seed : layout.classic.hash0;
  const std::uint32_t seed_bytes = is_swiss ? 8 : 4;
  std::vector<std::uint32_t> order(claims.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&](std::uint32_t number) { return claims[number].address; });
  return read_words(
      space, order, seed_bytes, [&](std::uint32_t number) { return claims[number].address + at; },
      [&](std::uint32_t number, std::span<const std::byte> bytes) {
        claims[number].is_same_map =
            bytes.size() == seed_bytes &&
            claims[number].seed ==
                (is_swiss ? load<std::uint64_t>(bytes, 0) : load<std::uint32_t>(bytes, 0));
      });
}

std::vector<std::uint32_t> take_exchanged_words(std::span<MapClaim> claims,
                                                std::span<const MapWitness> witnesses) {
  std::vector<std::uint32_t> owner(claims.size());
  std::iota(owner.begin(), owner.end(), 0U);
  for (std::uint32_t from = 0; from < claims.size(); ++from) {
    if (claims[from].word == 0 || claims[from].now == claims[from].address)
      continue;
    const auto map = std::ranges::lower_bound(claims, claims[from].now, {}, &MapClaim::address);
    if (map == claims.end() || map->address != claims[from].now || map->word == 0 ||
        map->does_word_hold)
      continue;
    const auto to = static_cast<std::uint32_t>(map - claims.begin());
    if (witnesses[to].type == 0 || witnesses[to].type != witnesses[from].type)
      continue;
    map->does_word_hold = true;
    owner[to] = from;
  }
  // Only now, since each word was to be looked at as it was.
  for (std::uint32_t i = 0; i < claims.size(); ++i)
    if (owner[i] != i)
      claims[i].word = witnesses[owner[i]].word;
  return owner;
}

Result<> check_copies(AddressSpace &space, const HeapLayout &layout,
                      std::span<const HeaderCopy> copies, std::span<MapClaim> claims) {
  if (copies.empty())
    return {};
  std::unordered_set<std::uint64_t> contents;
  for (const HeaderCopy &copy : copies)
    contents.insert(copy.contents.value);
  const std::uint32_t at =
      layout.maps == MapImplementation::swiss ? layout.swiss.dir_ptr : layout.classic.buckets;
  std::vector<std::uint32_t> order(claims.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&](std::uint32_t number) { return claims[number].address; });
  return read_words(
      space, order, sizeof(std::uint64_t),
      [&](std::uint32_t number) { return claims[number].address + at; },
      [&](std::uint32_t number, std::span<const std::byte> bytes) {
        claims[number].has_copy = bytes.size() == sizeof(std::uint64_t) &&
                                  contents.contains(load<std::uint64_t>(bytes, 0));
      });
}

bool is_alias(const TypeIndex &types, std::uint32_t one, std::uint32_t other) {
  const std::uint64_t key = key_of(types, one, TypeFields::kMapKey);
  return one == other || (key != 0 && key == key_of(types, other, TypeFields::kMapKey) &&
                          key_of(types, one, TypeFields::kMapElement) ==
                              key_of(types, other, TypeFields::kMapElement));
}

SaidType said_type(const TypeIndex &types, std::uint32_t set, std::uint64_t first,
                   std::span<const std::pair<std::uint32_t, std::uint64_t>> others) {
  std::optional<std::uint32_t> said;
  bool do_agree = true;
  auto hear = [&](std::uint64_t descriptor) {
    const auto type = types.number_of(descriptor);
    if (!type || types.types()[*type].is_shape)
      return;
    if (said)
      do_agree = do_agree && is_alias(types, *said, *type);
    else
      said = type;
  };
  if (first != 0)
    hear(first);
  for (const auto &[map, descriptor] : others)
    hear(descriptor);
  if (!do_agree)
    return {SaidType::Outcome::disagreement};
  if (!said)
    return {};
  // A set that an earlier witness made smaller may hold another name of the same type.
  const bool fits =
      set == kUnknownTypes || std::ranges::any_of(types.sets()[set], [&](std::uint32_t type) {
        return is_alias(types, type, *said);
      });
  return fits ? SaidType{SaidType::Outcome::exact, *said}
              : SaidType{SaidType::Outcome::disagreement};
}

} // namespace mapscope
