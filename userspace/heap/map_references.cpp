// Objects with a type first, then their words, then all of it once more: nothing holds still.
#include "heap/map_references.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kHeaderGapBytes = 2048; // headers of neighbours are read together
constexpr std::uint64_t kPieceBytes = 1 << 16;  // of a large object, at once
constexpr std::size_t kRangesAtOnce = 1 << 14;

// A map that more should be known of.
struct Wanted {
  std::uint64_t address = 0;
  std::uint32_t row = 0; // in the table
};

// Where values of a type hold maps.
struct MapWords {
  std::uint64_t size_bytes = 0;                               // of a value
  std::vector<std::pair<std::uint64_t, std::uint64_t>> words; // offset, map type
};

struct TypedObject {
  std::uint64_t data = 0, size_bytes = 0;
  std::uint64_t start = 0; // of its slot
  std::uint32_t span = 0;
  std::uint64_t type = 0;
};

struct Reference {
  std::uint64_t word = 0;    // where it lies
  std::uint64_t address = 0; // what it points to
  std::uint64_t type = 0;    // the map type that the word has
  std::uint64_t slot = 0;    // start of the object that it lies in
  std::uint32_t span = 0, row = 0;
  bool holds = false; // it still was there when it was looked at again
};

class ReferenceSearch {
public:
  ReferenceSearch(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
                  TypeIndex &types, const ReferenceLimits &limits)
      : space_(space), layout_(layout), spans_(spans), types_(types), limits_(limits) {}

  // References to these maps (in the order of addresses), in the order of what they point to.
  Result<std::vector<Reference>> find(std::span<const Wanted> wanted) {
    wanted_ = wanted;
    TRY(find_objects());
    TRY(find_words());
    TRY(look_again());
    std::erase_if(references_, [](const Reference &reference) { return !reference.holds; });
    std::ranges::sort(references_, {}, &Reference::address);
    return std::move(references_);
  }

private:
  const MapWords &map_words(std::uint64_t type);
  void add_object(std::uint32_t span, std::uint64_t start, std::uint64_t header_bytes,
                  std::uint64_t type);
  Result<> find_objects();
  Result<> read_headers();
  Result<> read_large_types(std::span<const std::uint32_t> spans);
  Result<> find_words();
  Result<> read_pieces();
  void take_piece(const TypedObject &object, std::uint64_t address,
                  std::span<const std::byte> bytes);
  Result<> look_again();
  Result<std::optional<SpanFields>> fields_of(std::uint32_t span);
  Result<bool> is_allocated(std::uint32_t span, std::uint64_t slot);

  AddressSpace &space_;
  const HeapLayout &layout_;
  const SpanTable &spans_;
  TypeIndex &types_;
  ReferenceLimits limits_;
  std::span<const Wanted> wanted_;
  std::unordered_map<std::uint64_t, MapWords> map_words_; // by type
  std::vector<TypedObject> objects_;
  std::vector<Reference> references_;
  // What is to be read next, and whose it is.
  std::vector<WantedRange> ranges_;
  std::vector<std::uint32_t> owners_; // span, or index in objects_
};

const MapWords &ReferenceSearch::map_words(std::uint64_t type) {
  auto [known, is_new] = map_words_.try_emplace(type);
  if (!is_new || !types_.is_in_executable(type))
    return known->second;
  const GoTypes &go_types = types_.go_types();
  const auto described = go_types.type({type});
  const auto leaves = go_types.leaves({type});
  if (!described || !leaves || described->size_bytes == 0)
    return known->second;
  known->second.size_bytes = described->size_bytes;
  for (const TypeLeaf &leaf : *leaves)
    if (leaf.kind == GoKind::map && leaf.offset + 8 <= described->size_bytes)
      known->second.words.emplace_back(leaf.offset, leaf.element);
  return known->second;
}

void ReferenceSearch::add_object(std::uint32_t span, std::uint64_t start,
                                 std::uint64_t header_bytes, std::uint64_t type) {
  if (map_words(type).words.empty())
    return;
  objects_.push_back({.data = start + header_bytes,
                      .size_bytes = spans_.elem_bytes(span) - header_bytes,
                      .start = start,
                      .span = span,
                      .type = type});
}

Result<> ReferenceSearch::find_objects() {
  std::vector<std::uint32_t> large;
  for (std::uint32_t span = 0; span < spans_.size(); ++span) {
    if (!spans_.span_class(span).has_pointers())
      continue;
    if (spans_.span_class(span).size_class() == 0) {
      large.push_back(span);
      continue;
    }
    if (spans_.elem_bytes(span) <= kHeaderlessBytesMax)
      continue;
    for (std::uint64_t slot = 0; slot < spans_.elem_count(span); ++slot) {
      ranges_.push_back({spans_.start(span) + slot * spans_.elem_bytes(span), kMallocHeaderBytes});
      owners_.push_back(span);
      if (ranges_.size() == kRangesAtOnce)
        TRY(read_headers());
    }
  }
  TRY(read_headers());
  return read_large_types(large);
}

// Spans are not in the order of their addresses, what is read has to be.
Result<> ReferenceSearch::read_headers() {
  std::vector<std::pair<WantedRange, std::uint32_t>> sorted;
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    sorted.emplace_back(ranges_[i], owners_[i]);
  std::ranges::sort(sorted, {}, [](const auto &entry) { return entry.first.address; });
  for (std::size_t i = 0; i < sorted.size(); ++i)
    std::tie(ranges_[i], owners_[i]) = sorted[i];
  TRY(read_sorted(space_, ranges_, kHeaderGapBytes,
                  [&](std::size_t index, std::span<const std::byte> bytes) {
                    if (bytes.size() == kMallocHeaderBytes)
                      add_object(owners_[index], ranges_[index].address, kMallocHeaderBytes,
                                 load<std::uint64_t>(bytes, 0));
                  }));
  ranges_.clear();
  owners_.clear();
  return {};
}

Result<std::optional<SpanFields>> ReferenceSearch::fields_of(std::uint32_t span) {
  std::vector<std::byte> bytes(layout_.span.size);
  MemoryRead read{{spans_.mspan(span)}, bytes};
  TRY(space_.read({&read, 1}));
  if (!read.is_read)
    return std::nullopt;
  const auto fields = SpanFields::parse(bytes, spans_.mspan(span), layout_.span);
  return fields.is_in_use() && fields.start == spans_.start(span) &&
                 fields.span_class == spans_.span_class(span)
             ? std::optional{fields}
             : std::nullopt;
}

Result<> ReferenceSearch::read_large_types(std::span<const std::uint32_t> spans) {
  for (std::uint32_t span : spans)
    if (const auto fields = TRY(fields_of(span)); fields && fields->large_type != 0)
      add_object(span, spans_.start(span), 0, fields->large_type);
  return {};
}

Result<> ReferenceSearch::find_words() {
  std::ranges::sort(objects_, {}, &TypedObject::data);
  std::uint64_t left = limits_.bytes_max;
  for (std::uint32_t i = 0; i < objects_.size(); ++i) {
    const std::uint64_t size = std::min(objects_[i].size_bytes, left);
    left -= size;
    for (std::uint64_t done = 0; done < size; done += kPieceBytes) {
      ranges_.push_back({objects_[i].data + done,
                         static_cast<std::uint32_t>(std::min(kPieceBytes, size - done))});
      owners_.push_back(i);
      if (ranges_.size() == kRangesAtOnce)
        TRY(read_pieces());
    }
  }
  return read_pieces();
}

Result<> ReferenceSearch::read_pieces() {
  TRY(read_sorted(space_, ranges_, 0, [&](std::size_t index, std::span<const std::byte> bytes) {
    if (!bytes.empty())
      take_piece(objects_[owners_[index]], ranges_[index].address, bytes);
  }));
  ranges_.clear();
  owners_.clear();
  return {};
}

void ReferenceSearch::take_piece(const TypedObject &object, std::uint64_t address,
                                 std::span<const std::byte> bytes) {
  const MapWords &type = map_words(object.type);
  const std::uint64_t begin = address - object.data, end = begin + bytes.size();
  const std::uint64_t values = object.size_bytes / type.size_bytes;
  for (const auto &[offset, map_type] : type.words) {
    std::uint64_t value =
        begin <= offset ? 0 : (begin - offset + type.size_bytes - 1) / type.size_bytes;
    for (; value < values; ++value) {
      const std::uint64_t at = value * type.size_bytes + offset;
      if (at + 8 > end)
        break;
      const auto word = load<std::uint64_t>(bytes, at - begin);
      const auto found = std::ranges::lower_bound(wanted_, word, {}, &Wanted::address);
      if (found == wanted_.end() || found->address != word ||
          references_.size() >= limits_.references_max)
        continue;
      references_.push_back({.word = object.data + at,
                             .address = word,
                             .type = map_type,
                             .slot = object.start,
                             .span = object.span,
                             .row = found->row});
    }
  }
}

// An object that was freed keeps its bytes for a while.
Result<bool> ReferenceSearch::is_allocated(std::uint32_t span, std::uint64_t slot) {
  const auto fields = TRY(fields_of(span));
  if (!fields)
    return false;
  const std::uint64_t index = (slot - fields->start) / fields->elemsize;
  if (index < fields->freeindex)
    return true;
  const auto byte = read_value<std::uint8_t>(space_, fields->alloc_bits + index / 8);
  return byte && (*byte >> index % 8 & 1) != 0;
}

// The words again, and whether the objects that they lie in are allocated: each object once.
Result<> ReferenceSearch::look_again() {
  std::ranges::sort(references_, {}, &Reference::word);
  for (std::size_t begin = 0; begin < references_.size(); begin += kRangesAtOnce) {
    const auto some =
        std::span{references_}.subspan(begin, std::min(kRangesAtOnce, references_.size() - begin));
    ranges_.clear();
    for (const Reference &reference : some)
      ranges_.push_back({reference.word, sizeof(std::uint64_t)});
    TRY(read_sorted(space_, ranges_, kHeaderGapBytes,
                    [&](std::size_t index, std::span<const std::byte> bytes) {
                      some[index].holds = bytes.size() == sizeof(std::uint64_t) &&
                                          load<std::uint64_t>(bytes, 0) == some[index].address;
                    }));
  }
  bool is_live = false;
  for (std::size_t i = 0; i < references_.size(); ++i) {
    if (i == 0 || references_[i].slot != references_[i - 1].slot)
      is_live = TRY(is_allocated(references_[i].span, references_[i].slot));
    references_[i].holds &= is_live;
  }
  return {};
}

// The types that are left of a map's once all references to it have spoken.
std::uint32_t narrow(TypeIndex &types, std::uint32_t set, std::span<const Reference> references) {
  std::optional<std::uint32_t> said;
  for (const Reference &reference : references) {
    const auto type = types.number_of(reference.type);
    if (!type || types.types()[*type].is_shape)
      continue;
    if (said && *said != *type)
      return set; // named and unnamed types can have the same maps
    said = type;
  }
  if (!said || (set != kUnknownTypes &&
                std::ranges::find(types.sets()[set], *said) == types.sets()[set].end()))
    return set;
  return types.only(set, *said);
}

bool is_unclear(const TypeIndex &types, const MapTable::Brief &map) {
  return map.evidence == MapEvidence::plausible || map.evidence == MapEvidence::consistent ||
         types.sets()[map.types].size() != 1;
}

// Of the header that lies there now; nothing where it can't be read.
Result<std::optional<std::uint32_t>> seed_at(AddressSpace &space, const HeapLayout &layout,
                                             std::uint64_t header) {
  const std::uint32_t at =
      layout.maps == MapImplementation::swiss ? layout.swiss.seed : layout.classic.hash0;
  std::uint32_t seed = 0;
  MemoryRead read{{header + at}, std::as_writable_bytes(std::span{&seed, 1})};
  TRY(space.read({&read, 1}));
  return read.is_read ? std::optional{seed} : std::nullopt;
}

std::uint32_t low_half(std::uint64_t seed) { return static_cast<std::uint32_t>(seed); }

// Tells what an earlier search found, takes these maps out of `wanted`, and returns them.
std::vector<ReferencedMap> recall(const TypeIndex &types, MapTable &maps,
                                  std::span<const ReferencedMap> remembered,
                                  std::vector<Wanted> &wanted) {
  std::vector<ReferencedMap> recalled;
  std::erase_if(wanted, [&](const Wanted &one) {
    const auto known =
        std::ranges::lower_bound(remembered, one.address, {}, &ReferencedMap::address);
    const MapTable::Brief map = maps.brief(one.row);
    if (known == remembered.end() || known->address != one.address ||
        known->seed != low_half(map.seed))
      return false;
    // What the map holds by now may speak against it.
    const auto left = types.sets()[map.types], told = types.sets()[known->types];
    if (!left.empty() && !std::ranges::includes(left, told))
      return false;
    maps.add_reference(one.row, known->types);
    recalled.push_back(*known);
    return true;
  });
  return recalled;
}

} // namespace

Result<> tell_references(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
                         TypeIndex &types, MapTable &maps, ReferenceMemory &memory,
                         const ReferenceLimits &limits) {
  if (!layout.has_malloc_headers())
    return {};
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < maps.size() && wanted.size() < limits.maps_max; ++i)
    if (const MapTable::Brief map = maps.brief(i); is_unclear(types, map))
      wanted.push_back({map.address, static_cast<std::uint32_t>(i)});
  if (!std::ranges::is_sorted(wanted, {}, &Wanted::address))
    std::ranges::sort(wanted, {}, &Wanted::address);
  std::vector<ReferencedMap> found = recall(types, maps, memory.found, wanted);
  // A search costs as much as a census: it is made when there is something new to find.
  if (wanted.size() > memory.left_count + memory.left_count / 8) {
    const auto references = TRY(ReferenceSearch(space, layout, spans, types, limits).find(wanted));
    const std::size_t recalled = found.size();
    for (std::size_t begin = 0, end = 0; begin < references.size(); begin = end) {
      while (end < references.size() && references[end].address == references[begin].address)
        ++end;
      const MapSample map = maps[references[begin].row];
      // The header may be another's by now.
      if (TRY(seed_at(space, layout, map.address.value)) != low_half(map.seed))
        continue;
      const std::uint32_t set =
          narrow(types, map.types, std::span{references}.subspan(begin, end - begin));
      maps.add_reference(references[begin].row, set);
      found.push_back({map.address.value, low_half(map.seed), set});
    }
    memory.left_count = wanted.size() - (found.size() - recalled);
    std::ranges::sort(found);
  }
  memory.found = std::move(found);
  return {};
}

} // namespace mapscope
