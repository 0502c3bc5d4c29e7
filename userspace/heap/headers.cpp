// Reads the spans of the size class of headers whole: slots, pointer bitmap and the marks of
// green tea come with one read.
#include "heap/headers.h"

#include <algorithm>
#include <bit>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr int kRoundsMax = 4;
constexpr std::uint64_t kBitmapBytes = 128; // of a page: a bit for each word of 8192 bytes
// internal/runtime/gc or runtime, spanInlineMarkBits of green tea (Go 1.25 experiment, 1.26 on):
// scans [63], owned, marks [63], class at the end of the span, behind the pointer bitmap.
constexpr std::uint64_t kInlineMarkBytes = 128;
constexpr std::uint64_t kInlineMarksOffset = kGoPageBytes - 64;
constexpr std::uint64_t kBitGapBytesMax = 512;
constexpr std::size_t kSlotsMax = 170; // of 48 bytes in a page

bool bit(std::span<const std::byte> bytes, std::size_t index) {
  return (std::to_integer<unsigned>(bytes[index / 8]) >> (index % 8) & 1) != 0;
}

std::uint64_t mark_bytes(std::uint64_t nelems) { return (nelems + 63) / 64 * 8; }

} // namespace

HeaderShape HeaderShape::of(const HeapLayout &layout) {
  auto size_class = std::ranges::lower_bound(kSizeClasses, layout.header_size);
  auto word = [](std::uint32_t offset) { return std::uint32_t{1} << (offset / 8); };
  const ClassicLayout &classic = layout.classic;
  return {.span_class = {static_cast<std::uint8_t>((size_class - kSizeClasses.begin()) << 1)},
          .slot_bytes = *size_class,
          .pointer_words =
              layout.maps == MapImplementation::swiss
                  ? word(layout.swiss.dir_ptr)
                  : word(classic.buckets) | word(classic.oldbuckets) | word(classic.extra)};
}

Result<> HeaderFinder::find(std::span<const std::uint32_t> spans,
                            std::vector<HeaderCandidate> &found) {
  found.clear();
  std::vector<std::uint32_t> todo{spans.begin(), spans.end()};
  for (int round_count = 1; !todo.empty(); ++round_count) {
    TRY(read_round(todo));
    // A sweep between the reads takes the marks away, and frees what was dead.
    std::vector<SpanState> now = TRY(read_fields(todo));
    todo.clear();
    bool is_last_round = round_count == kRoundsMax;
    // Mostly all of them held still, and then nothing has to be copied.
    if (found.empty() && std::ranges::all_of(round_.states, [&](const SpanState &state) {
          return is_same(state, now);
        })) {
      found.swap(round_.candidates);
      return {};
    }
    for (std::size_t i = 0; i < round_.states.size(); ++i) {
      bool held_still = is_same(round_.states[i], now);
      if (!held_still && !is_last_round) {
        todo.push_back(round_.states[i].span);
        continue;
      }
      unsettled_span_count_ += !held_still;
      auto candidates = std::span{round_.candidates}.first(round_.ends[i]);
      if (i > 0)
        candidates = candidates.subspan(round_.ends[i - 1]);
      found.insert(found.end(), candidates.begin(), candidates.end());
    }
  }
  return {};
}

bool HeaderFinder::is_same(const SpanState &before, std::span<const SpanState> now) {
  auto start = [](const SpanState &state) { return state.fields.start; };
  auto after = std::ranges::lower_bound(now, before.fields.start, {}, start);
  return after != now.end() && after->span == before.span &&
         after->fields.sweepgen == before.fields.sweepgen &&
         after->fields.alloc_bits == before.fields.alloc_bits &&
         after->heap_sweepgen == before.heap_sweepgen;
}

Result<> HeaderFinder::read_round(std::span<const std::uint32_t> spans) {
  round_.states = TRY(read_fields(spans));
  round_.candidates.clear();
  round_.ends.clear();
  TRY(read_bitmaps(round_.states));
  std::vector<WantedRange> pages;
  for (const SpanState &state : round_.states)
    pages.push_back({state.fields.start, kGoPageBytes});
  return read_sorted(space_, pages, 0, [&](std::size_t index, std::span<const std::byte> page) {
    if (page.empty())
      ++unsettled_span_count_;
    else
      take_candidates(round_.states[index], page, round_.candidates);
    round_.ends.push_back(round_.candidates.size());
  });
}

// Leaves out spans that hold no headers by now.
Result<std::vector<HeaderFinder::SpanState>>
HeaderFinder::read_fields(std::span<const std::uint32_t> spans) {
  auto sweepgen = TRY(read_sweepgen(space_, root_.mheap + layout_.mheap.sweepgen));
  struct Place {
    std::uint64_t mspan;
    std::uint32_t span;
  };
  std::vector<Place> places;
  for (std::uint32_t span : spans)
    places.push_back({spans_.mspan(span), span});
  std::ranges::sort(places, {}, &Place::mspan);
  std::vector<WantedRange> ranges;
  for (const Place &place : places)
    ranges.push_back({place.mspan, layout_.span.size});

  std::vector<SpanState> states;
  states.reserve(spans.size());
  auto visit = [&](std::size_t index, std::span<const std::byte> bytes) {
    if (bytes.empty())
      return;
    SpanState state{.span = places[index].span,
                    .fields = SpanFields::parse(bytes, places[index].mspan, layout_.span),
                    .heap_sweepgen = sweepgen};
    if (state.fields.is_in_use() && state.fields.start == spans_.start(state.span) &&
        state.fields.span_class == shape_.span_class && state.fields.npages == 1)
      states.push_back(state);
  };
  TRY(read_sorted(space_, ranges, 2048, visit));
  std::ranges::sort(states, {}, [](const SpanState &state) { return state.fields.start; });
  return states;
}

Result<> HeaderFinder::read_bitmaps(std::vector<SpanState> &states) {
  struct Place {
    std::uint64_t address;
    std::size_t state;
    bool is_mark;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < states.size(); ++i) {
    places.push_back({states[i].fields.alloc_bits, i, false});
    if (states[i].is_unswept() && !has_inline_marks(states[i]))
      places.push_back({states[i].fields.mark_bits, i, true});
  }
  std::ranges::sort(places, {}, &Place::address);
  std::vector<WantedRange> ranges;
  for (const Place &place : places)
    ranges.push_back(
        {place.address, static_cast<std::uint32_t>(mark_bytes(states[place.state].fields.nelems))});
  // What can't be read stays zero: nothing behind freeindex is live then.
  TRY(read_sorted(
      space_, ranges, kBitGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
        SpanState &state = states[places[index].state];
        std::ranges::copy(bytes, (places[index].is_mark ? state.marked : state.allocated).begin());
      }));
  return layout_.pointer_bitmap == PointerBitmap::in_span ? Result<>{} : read_arena_bitmaps(states);
}

Result<> HeaderFinder::read_arena_bitmaps(std::vector<SpanState> &states) {
  std::uint32_t bytes_a_page = layout_.pointer_bitmap == PointerBitmap::arena_two_bits ? 256 : 128;
  struct Place {
    std::uint64_t address;
    std::size_t state;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < states.size(); ++i) {
    std::uint64_t start = states[i].fields.start;
    std::uint64_t page = start / kGoPageBytes % 8192;
    places.push_back({spans_.arena_address(start) + layout_.arena_bitmap + page * bytes_a_page, i});
  }
  std::ranges::sort(places, {}, &Place::address);
  std::vector<WantedRange> ranges;
  for (const Place &place : places)
    ranges.push_back({place.address, bytes_a_page});
  return read_sorted(space_, ranges, kBitGapBytesMax,
                     [&](std::size_t index, std::span<const std::byte> bytes) {
                       std::ranges::copy(bytes, states[places[index].state].arena_bitmap.begin());
                     });
}

// Green tea takes 128 bytes of the span, so that fewer slots fit: 165 of 48 bytes and not 168.
bool HeaderFinder::has_inline_marks(const SpanState &state) const {
  return layout_.pointer_bitmap == PointerBitmap::in_span &&
         state.fields.nelems ==
             (kGoPageBytes - kBitmapBytes - kInlineMarkBytes) / shape_.slot_bytes;
}

// Of slots [first, first + 64), a bit each. `first` is a multiple of 64.
std::uint64_t HeaderFinder::live_slots(const SpanState &state, std::span<const std::byte> page,
                                       std::size_t first) const {
  auto live = load<std::uint64_t>(state.allocated, first / 8);
  if (state.fields.freeindex >= first + 64)
    live = ~std::uint64_t{0};
  else if (state.fields.freeindex > first)
    live |= (std::uint64_t{1} << (state.fields.freeindex - first)) - 1;
  if (!state.is_unswept())
    return live;
  return live & (has_inline_marks(state) ? load<std::uint64_t>(page, kInlineMarksOffset + first / 8)
                                         : load<std::uint64_t>(state.marked, first / 8));
}

std::uint32_t HeaderFinder::pointers_of(const SpanState &state, std::span<const std::byte> page,
                                        std::size_t slot) const {
  std::size_t words = shape_.slot_bytes / 8;
  std::span<const std::byte> bitmap = state.arena_bitmap;
  if (layout_.pointer_bitmap == PointerBitmap::in_span)
    bitmap =
        page.subspan(kGoPageBytes - kBitmapBytes - (has_inline_marks(state) ? kInlineMarkBytes : 0),
                     kBitmapBytes);
  std::size_t first = slot * words;
  if (layout_.pointer_bitmap != PointerBitmap::arena_two_bits) {
    // The last eight bytes hold the bits of the last slots whole.
    std::size_t byte = std::min<std::size_t>(first / 8, kBitmapBytes - 8);
    return static_cast<std::uint32_t>(load<std::uint64_t>(bitmap, byte) >> (first - byte * 8) &
                                      ((std::uint64_t{1} << words) - 1));
  }
  // Four pointer bits, then the four bits that say whether more follow.
  std::uint32_t pointers = 0;
  for (std::size_t word = 0; word < words; ++word)
    pointers |= std::uint32_t{bit(bitmap, (first + word) / 4 * 8 + (first + word) % 4)} << word;
  return pointers;
}

void HeaderFinder::take_candidates(const SpanState &state, std::span<const std::byte> page,
                                   std::vector<HeaderCandidate> &candidates) const {
  const std::size_t count = std::min<std::size_t>(state.fields.nelems, kSlotsMax);
  for (std::size_t first = 0; first < count; first += 64)
    for (std::uint64_t live = live_slots(state, page, first); live != 0; live &= live - 1) {
      std::size_t slot = first + static_cast<std::size_t>(std::countr_zero(live));
      if (slot >= count)
        break;
      if (pointers_of(state, page, slot) != shape_.pointer_words)
        continue;
      HeaderCandidate &candidate = candidates.emplace_back();
      candidate.address = state.fields.start + slot * shape_.slot_bytes;
      std::ranges::copy(page.subspan(slot * shape_.slot_bytes, layout_.header_size),
                        candidate.bytes.begin());
    }
}

} // namespace mapscope
