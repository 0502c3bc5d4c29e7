// A bit for each page of the arenas that spans lie in.
#include "heap/resident_pages.h"

#include <algorithm>

namespace mapscope {

Result<ResidentPages> ResidentPages::read(AddressSpace &space, const SpanTable &spans) {
  ResidentPages pages;
  std::vector<ProcessRange> ranges;
  for (std::uint64_t start : spans.arena_starts()) {
    pages.arenas_.push_back({.start = start});
    if (!ranges.empty() && ranges.back().start.value + ranges.back().size_bytes == start)
      ranges.back().size_bytes += SpanTable::kArenaBytes;
    else
      ranges.push_back({{start}, SpanTable::kArenaBytes});
  }
  for (const PageRun &run : TRY(space.resident_pages(ranges)))
    pages.note(run);
  pages.spans_.reserve(spans.size());
  for (std::uint32_t span = 0; span < spans.size(); ++span) {
    BytesInMemory bytes = pages.count(spans.start(span), spans.size_bytes(span));
    pages.spans_.push_back(bytes.resident == spans.size_bytes(span)    ? SpanState::resident
                           : bytes.resident == 0 && bytes.swapped == 0 ? SpanState::absent
                                                                       : SpanState::mixed);
  }
  return pages;
}

ResidentPages::Arena *ResidentPages::find(std::uint64_t address) {
  auto after = std::ranges::upper_bound(arenas_, address, {}, &Arena::start);
  if (after == arenas_.begin() || address - std::prev(after)->start >= SpanTable::kArenaBytes)
    return nullptr;
  return &*std::prev(after);
}

void ResidentPages::note(const PageRun &run) {
  std::uint64_t page = run.range.start.value / kPageBytes * kPageBytes;
  const std::uint64_t end = run.range.start.value + run.range.size_bytes;
  while (page < end) {
    Arena *arena = find(page);
    if (arena == nullptr)
      return; // not asked for
    std::uint64_t last = std::min(end, arena->start + SpanTable::kArenaBytes);
    Bitmap &bits = run.is_swapped ? arena->swapped : arena->resident;
    for (; page < last; page += kPageBytes) {
      std::uint64_t index = (page - arena->start) / kPageBytes;
      bits[index / 64] |= std::uint64_t{1} << index % 64;
    }
  }
}

BytesInMemory ResidentPages::count(std::uint64_t start, std::uint64_t size_bytes) const {
  BytesInMemory bytes;
  const std::uint64_t end = start + size_bytes;
  const Arena *arena = nullptr;
  for (std::uint64_t at = start; at < end;) {
    if (arena == nullptr || at - arena->start >= SpanTable::kArenaBytes)
      arena = const_cast<ResidentPages *>(this)->find(at);
    if (arena == nullptr)
      return bytes; // a span that came after the pages were asked for
    std::uint64_t page_end = std::min(end, at / kPageBytes * kPageBytes + kPageBytes);
    std::uint64_t index = (at - arena->start) / kPageBytes;
    auto is_set = [&](const Bitmap &bits) { return (bits[index / 64] >> index % 64 & 1) != 0; };
    if (is_set(arena->resident))
      bytes.resident += page_end - at;
    else if (is_set(arena->swapped))
      bytes.swapped += page_end - at;
    at = page_end;
  }
  return bytes;
}

} // namespace mapscope
