// Lists of all spans are followed together, so that neighbouring records come with one read.
#include "heap/sites/special_lists.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/user_space.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGapBytesMax = 2048; // mspans and specials come from chunks of 16 KiB
// Of one span: 1,024 objects at most, each with a few specials.
constexpr unsigned kLevelsMax = 8192;

} // namespace

Result<SpecialLists::Layout> SpecialLists::layout_of(const BinaryFacts &facts) {
  if (!facts.is_known_release)
    return fail(
        Errc::unsupported,
        "which of the runtime's records say where an object was made, or what is to run when "
        "it is gone, is not known of {}",
        facts.go_version);
  Layout layout;
  std::uint32_t special_size = 0;
  for (auto [field, into] : {std::pair{"runtime.mspan.specials", &layout.specials},
                             {"runtime.special", &special_size},
                             {"runtime.special.next", &layout.next},
                             {"runtime.special.offset", &layout.offset},
                             {"runtime.special.kind", &layout.kind},
                             {"runtime.specialprofile", &layout.size},
                             {"runtime.specialprofile.b", &layout.bucket}}) {
    constexpr std::uint32_t kOffsetMax = 256;
    auto offset = facts.layout.find(field);
    if (!offset || *offset > kOffsetMax)
      return fail(Errc::unsupported, "{}: where {} lies is not known", facts.path, field);
    *into = *offset;
  }
  layout.is_offset_wide = layout.kind - layout.offset >= 8;
  if (layout.next + 8 > layout.size || layout.offset + 8 > layout.size ||
      layout.kind >= layout.size || layout.bucket + 8 > layout.size)
    return fail(Errc::unsupported, "{}: how sampled objects are recorded is not known", facts.path);
  // runtime/mheap.go, _KindSpecialProfile: a constant, which no table of offsets has.
  layout.profile_kind = facts.version.minor <= 22 ? 2 : facts.version.minor <= 24 ? 3 : 4;
  layout.finalizer_kind = layout.profile_kind == 4 ? 2 : 1;
  layout.cleanup_kind = facts.version.minor <= 23 ? 0 : layout.profile_kind == 4 ? 7 : 6;
  return layout;
}

Result<SpecialLists> SpecialLists::open(AddressSpace &space, const BinaryFacts &facts,
                                        const SpanTable &spans) {
  return SpecialLists(space, TRY(layout_of(facts)), spans);
}

Result<std::vector<SpecialLists::Place>>
SpecialLists::read_heads(std::span<const std::uint32_t> spans) {
  std::vector<std::uint32_t> sorted{spans.begin(), spans.end()};
  std::ranges::sort(sorted, {}, [&](std::uint32_t span) { return spans_.mspan(span); });
  std::vector<WantedRange> words;
  words.reserve(sorted.size());
  for (std::uint32_t span : sorted)
    words.push_back({spans_.mspan(span) + layout_.specials, 8});
  std::vector<Place> places;
  TRY(read_sorted(space_, words, kGapBytesMax,
                  [&](std::size_t index, std::span<const std::byte> bytes) {
                    if (bytes.empty())
                      return;
                    if (auto special = load<std::uint64_t>(bytes, 0); is_user_pointer(special))
                      places.push_back({special, sorted[index], 0});
                  }));
  return places;
}

std::optional<SpecialLists::Place> SpecialLists::step(const Place &place,
                                                      std::span<const std::byte> bytes,
                                                      std::vector<Sample> &samples) {
  const std::uint64_t offset = layout_.is_offset_wide ? load<std::uint64_t>(bytes, layout_.offset)
                                                      : load<std::uint16_t>(bytes, layout_.offset);
  // In the order of offsets; one that is freed and used again is in some other span's list.
  if (offset < place.offset || offset >= spans_.size_bytes(place.span))
    return std::nullopt;
  const auto bucket = load<std::uint64_t>(bytes, layout_.bucket);
  const auto kind = load<std::uint8_t>(bytes, layout_.kind);
  const std::uint64_t size = spans_.elem_bytes(place.span), slot = offset / size;
  if (slot < spans_.elem_count(place.span)) {
    const std::uint64_t object = spans_.start(place.span) + slot * size;
    if (kind == layout_.profile_kind && is_user_pointer(bucket))
      samples.push_back({place.span, object, bucket});
    else if (kind == layout_.finalizer_kind || (kind == layout_.cleanup_kind && kind != 0))
      finalizers_.push_back(
          {object, place.special + layout_.bucket, kind == layout_.finalizer_kind});
  }
  const auto next = load<std::uint64_t>(bytes, layout_.next);
  return is_user_pointer(next) ? std::optional{Place{next, place.span, offset}} : std::nullopt;
}

Result<std::vector<SpecialLists::Sample>> SpecialLists::read(std::span<const std::uint32_t> spans,
                                                             std::uint64_t samples_max) {
  std::vector<Place> places = TRY(read_heads(spans)), next;
  std::vector<Sample> samples;
  std::vector<WantedRange> ranges;
  std::uint64_t left = samples_max; // of all specials: a list may hold nothing else
  for (unsigned level = 0; level < kLevelsMax && !places.empty() && left != 0; ++level) {
    places.resize(std::min<std::uint64_t>(places.size(), left));
    left -= places.size();
    std::ranges::sort(places, {}, &Place::special);
    ranges.clear();
    next.clear();
    for (const Place &place : places)
      ranges.push_back({place.special, layout_.size});
    TRY(read_sorted(space_, ranges, kGapBytesMax,
                    [&](std::size_t index, std::span<const std::byte> bytes) {
                      if (bytes.empty())
                        return;
                      if (auto place = step(places[index], bytes, samples))
                        next.push_back(*place);
                    }));
    places.swap(next);
  }
  return samples;
}

Result<std::vector<SpecialLists::Sample>> SpecialLists::read_all(std::uint64_t samples_max) {
  std::vector<std::uint32_t> all(spans_.size());
  std::iota(all.begin(), all.end(), 0u);
  return read(all, samples_max);
}

} // namespace mapscope
