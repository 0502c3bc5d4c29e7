// Reads the mspans in the order of their addresses, so that a megabyte comes with one read.
#include "heap/span_table.h"

#include <algorithm>

#include "base/user_space.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSpansMax = 1 << 24; // 128 GiB of spans of one page
constexpr std::uint64_t kArenaPages = SpanTable::kArenaBytes / kGoPageBytes;
constexpr std::uint64_t kGapBytesMax = 2048; // mspans come from chunks of 16 KiB
constexpr std::uint8_t kInUse = 1;           // mSpanInUse
constexpr std::uint64_t kElementsMax = 1024; // 8192 / 8
constexpr std::uint64_t kSmallPagesMax = 16; // of a span of small objects: 10 at most
// 256 GiB. Each costs 32 KiB here, so a process that lies about its spans must not make many.
constexpr std::size_t kArenasMax = 4096;

std::uint64_t load_index(std::span<const std::byte> bytes, std::size_t offset,
                         std::uint32_t size_bytes) {
  return size_bytes == 8 ? load<std::uint64_t>(bytes, offset) : load<std::uint16_t>(bytes, offset);
}

// The pointers of mheap_.allspans, sorted.
Result<std::vector<WantedRange>> read_all_spans(AddressSpace &space, const HeapRoot &root,
                                                const SpanLayout &layout) {
  if (root.span_count > kSpansMax)
    return fail(Errc::unsupported, "a heap of {} spans; {} are supported", root.span_count,
                kSpansMax);
  std::vector<std::uint64_t> pointers(root.span_count);
  TRY(read_exactly(space, root.spans, std::as_writable_bytes(std::span{pointers})));
  std::ranges::sort(pointers);
  auto repeated = std::ranges::unique(pointers);
  pointers.erase(repeated.begin(), repeated.end());
  std::vector<WantedRange> ranges;
  ranges.reserve(pointers.size());
  for (std::uint64_t pointer : pointers)
    if (pointer != 0 && is_in_user_space(pointer))
      ranges.push_back({pointer, layout.size});
  return ranges;
}

} // namespace

SpanFields SpanFields::parse(std::span<const std::byte> bytes, std::uint64_t mspan,
                             const SpanLayout &layout) {
  return {.mspan = mspan,
          .start = load<std::uint64_t>(bytes, layout.start),
          .npages = load<std::uint64_t>(bytes, layout.npages),
          .elemsize = load<std::uint64_t>(bytes, layout.elemsize),
          .freeindex = load_index(bytes, layout.freeindex, layout.index_bytes),
          .nelems = load_index(bytes, layout.nelems, layout.index_bytes),
          .alloc_bits = load<std::uint64_t>(bytes, layout.alloc_bits),
          .mark_bits = load<std::uint64_t>(bytes, layout.mark_bits),
          .large_type = layout.large_type ? load<std::uint64_t>(bytes, *layout.large_type) : 0,
          .sweepgen = load<std::uint32_t>(bytes, layout.sweepgen),
          .alloc_count = load<std::uint16_t>(bytes, layout.alloc_count),
          .span_class = {load<std::uint8_t>(bytes, layout.spanclass)},
          .state = load<std::uint8_t>(bytes, layout.state)};
}

bool SpanFields::is_in_use() const {
  if (state != kInUse || start % kGoPageBytes != 0 || start == 0 || !is_in_user_space(start) ||
      npages == 0 || npages > kHeapBytesMax / kGoPageBytes ||
      span_class.size_class() >= kSizeClasses.size() || nelems == 0 || nelems > kElementsMax ||
      freeindex > nelems)
    return false;
  // A chunk of a user arena looks like a large object with a smaller element; no map is in one.
  return span_class.size_class() == 0
             ? nelems == 1 && elemsize == npages * kGoPageBytes
             : npages <= kSmallPagesMax && elemsize == kSizeClasses[span_class.size_class()] &&
                   elemsize * nelems <= npages * kGoPageBytes;
}

Result<SpanTable> SpanTable::read(AddressSpace &space, const HeapRoot &root,
                                  const HeapLayout &layout) {
  SpanTable table(root, layout);
  std::vector<WantedRange> ranges = TRY(read_all_spans(space, root, layout.span));
  auto visit = [&](std::size_t index, std::span<const std::byte> bytes) {
    if (bytes.empty())
      ++table.left_out_count_;
    else if (auto span = SpanFields::parse(bytes, ranges[index].address, layout.span);
             span.is_in_use())
      table.add(span);
  };
  TRY(read_sorted(space, ranges, kGapBytesMax, visit));
  TRY(table.read_arena_addresses(space));
  return table;
}

void SpanTable::add(const SpanFields &span) {
  // Of a large object nothing but its first page is ever looked up: what a map points to is the
  // start of an object.
  bool is_large = span.span_class.size_class() == 0;
  std::uint64_t last = span.start + ((is_large ? 1 : span.npages) - 1) * kGoPageBytes;
  // Neighbouring arenas are one to the runtime, so a span may begin in one and end in the next.
  if (span.npages >> 32 != 0 || !make_arena(HeapRoot::arena_index(layout_.machine, span.start)) ||
      !make_arena(HeapRoot::arena_index(layout_.machine, last))) {
    ++left_out_count_;
    return;
  }
  start_.push_back(span.start);
  mspan_.push_back(span.mspan);
  npages_.push_back(static_cast<std::uint32_t>(span.npages));
  nelems_.push_back(static_cast<std::uint16_t>(span.nelems));
  alloc_counts_.push_back(
      static_cast<std::uint16_t>(std::min<std::uint64_t>(span.alloc_count, span.nelems)));
  class_.push_back(span.span_class);
  for (std::uint64_t page = span.start; page <= last; page += kGoPageBytes)
    *page_entry(page) = static_cast<std::uint32_t>(start_.size());
}

bool SpanTable::make_arena(std::uint64_t index) {
  auto arena = std::ranges::lower_bound(arenas_, index, {}, &Arena::index);
  if (arena != arenas_.end() && arena->index == index)
    return true;
  if (arenas_.size() >= kArenasMax)
    return false;
  arenas_.insert(arena, {index, 0, ArenaPages(kArenaPages)});
  return true;
}

std::uint32_t *SpanTable::page_entry(std::uint64_t address) {
  // Mostly the heap is one run of arenas, so that the place is known without a search.
  std::uint64_t index = HeapRoot::arena_index(layout_.machine, address);
  if (arenas_.empty() || index < arenas_.front().index || index > arenas_.back().index)
    return nullptr;
  std::uint64_t guess = index - arenas_.front().index;
  Arena *arena = nullptr;
  if (guess < arenas_.size() && arenas_[guess].index == index)
    arena = &arenas_[guess];
  else if (auto found = std::ranges::lower_bound(arenas_, index, {}, &Arena::index);
           found != arenas_.end() && found->index == index)
    arena = &*found;
  return arena == nullptr ? nullptr : &arena->pages[address / kGoPageBytes % kArenaPages];
}

Result<> SpanTable::read_arena_addresses(AddressSpace &space) {
  std::vector<WantedRange> ranges;
  for (const Arena &arena : arenas_)
    ranges.push_back({root_.arenas + arena.index * 8, 8});
  return read_sorted(space, ranges, 4096, [&](std::size_t index, std::span<const std::byte> bytes) {
    if (!bytes.empty())
      arenas_[index].address = load<std::uint64_t>(bytes, 0);
  });
}

std::vector<std::uint32_t> SpanTable::spans_of(SpanClass span_class) const {
  std::vector<std::uint32_t> spans;
  for (std::uint32_t span = 0; span < size(); ++span)
    if (class_[span] == span_class)
      spans.push_back(span);
  std::ranges::sort(spans, {}, [this](std::uint32_t span) { return start_[span]; });
  return spans;
}

std::optional<std::uint32_t> SpanTable::find_span(std::uint64_t address) const {
  const std::uint32_t *entry = page_entry(address);
  if (entry == nullptr || *entry == kNone)
    return std::nullopt;
  return *entry - 1;
}

std::optional<HeapObject> SpanTable::find_object(std::uint64_t address) const {
  auto span = find_span(address);
  if (!span)
    return std::nullopt;
  std::uint64_t offset = address - start_[*span];
  std::uint64_t elem = elem_bytes(*span);
  // Spans of small objects are small, and a division of 32 bits costs a quarter.
  std::uint64_t slot = class_[*span].size_class() == 0
                           ? 0
                           : static_cast<std::uint32_t>(offset) / static_cast<std::uint32_t>(elem);
  if (slot >= nelems_[*span])
    return std::nullopt;
  bool has_pointers = class_[*span].has_pointers();
  return HeapObject{.span = *span,
                    .slot = static_cast<std::uint32_t>(slot),
                    .start = start_[*span] + slot * elem,
                    .size_bytes = elem,
                    .has_pointers = has_pointers,
                    .has_malloc_header = layout_.has_malloc_headers() && has_pointers &&
                                         class_[*span].size_class() != 0 &&
                                         elem > kHeaderlessBytesMax};
}

std::vector<std::uint64_t> SpanTable::arena_starts() const {
  std::vector<std::uint64_t> starts;
  for (const Arena &arena : arenas_)
    starts.push_back(HeapRoot::arena_start(layout_.machine, arena.index));
  std::ranges::sort(starts); // what begins in the upper half of addresses has the lower index
  return starts;
}

std::uint64_t SpanTable::arena_address(std::uint64_t address) const {
  std::uint64_t index = HeapRoot::arena_index(layout_.machine, address);
  auto arena = std::ranges::lower_bound(arenas_, index, {}, &Arena::index);
  return arena != arenas_.end() && arena->index == index ? arena->address : 0;
}

Result<> SpanTable::refresh(AddressSpace &space, std::uint64_t address) {
  std::uint64_t index = HeapRoot::arena_index(layout_.machine, address);
  if (index >= kArenaIndexMax)
    return {};
  auto mspan_of = [&]() -> Result<SpanFields> {
    auto arena = TRY(read_value<std::uint64_t>(space, root_.arenas + index * 8));
    std::uint64_t page = address / kGoPageBytes % kArenaPages;
    auto mspan = TRY(read_value<std::uint64_t>(space, arena + layout_.arena_spans + page * 8));
    std::vector<std::byte> bytes(layout_.span.size);
    TRY(read_exactly(space, mspan, bytes));
    return SpanFields::parse(bytes, mspan, layout_.span);
  };
  auto span = mspan_of();
  if (!span) {
    if (span.error().code() == Errc::not_found)
      return {}; // no span there, now as before
    return std::unexpected(std::move(span).error());
  }
  if (auto known = find_span(address);
      known && span->is_in_use() && start_[*known] == span->start &&
      npages_[*known] == span->npages && class_[*known] == span->span_class &&
      mspan_[*known] == span->mspan)
    return {};
  // The entry in arenas is not cleared when a span is freed, so the span has to cover the page.
  bool covers = span->is_in_use() && address - span->start < span->npages * kGoPageBytes;
  if (covers && size() < 2 * kSpansMax)
    add(*span);
  else if (std::uint32_t *entry = page_entry(address))
    *entry = kNone;
  return {};
}

} // namespace mapscope
