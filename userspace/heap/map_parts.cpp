// Folds alike objects, and counts each page once.
#include "heap/map_parts.h"

#include <algorithm>

namespace mapscope {
namespace {

// Larger pages come as several of these: residency is told in whole pages of whatever size.
constexpr std::uint64_t kKernelPageBytes = 4096;
constexpr std::size_t kLoosePiecesMax = 1 << 16; // before they are joined

std::uint64_t overlap(std::uint64_t a_start, std::uint64_t a_end, std::uint64_t b_start,
                      std::uint64_t b_end) {
  std::uint64_t start = std::max(a_start, b_start), end = std::min(a_end, b_end);
  return start < end ? end - start : 0;
}

} // namespace

void MapParts::add(MapPart part, const HeapObject &object, std::uint64_t asked_bytes) {
  bool is_large = spans_.span_class(object.span).size_class() == 0;
  std::uint64_t slot_bytes = is_large ? 0 : object.size_bytes;
  auto [row, is_new] = row_of_.try_emplace(
      {part, is_large ? object.size_bytes : slot_bytes, asked_bytes, object.has_pointers},
      rows_.size());
  if (is_new)
    rows_.push_back({.part = part,
                     .address = {object.data()},
                     .count = 0,
                     .slot_bytes = slot_bytes,
                     .span = {spans_.start(object.span)},
                     .span_bytes = spans_.size_bytes(object.span),
                     .has_pointers = object.has_pointers});
  MapObject &folded = rows_[row->second];
  ++folded.count;
  folded.bytes += object.size_bytes;
  folded.asked_bytes += asked_bytes;

  bytes_ += object.size_bytes;
  ++object_count_;
  if (object.span >= has_span_.size())
    has_span_.resize(object.span + 1);
  span_count_ += !has_span_[object.span];
  has_span_[object.span] = true;
  pieces_.push_back({object.start, object.start + object.size_bytes});
  if (pieces_.size() - joined_count_ > kLoosePiecesMax)
    join_pieces();
}

void MapParts::add_on_stack(MapPart part, std::uint64_t address, std::uint64_t asked_bytes) {
  rows_.push_back(
      {.part = part, .address = {address}, .asked_bytes = asked_bytes, .is_on_stack = true});
}

void MapParts::join_pieces() {
  std::ranges::sort(pieces_, {}, &Piece::start);
  std::vector<Piece> joined;
  for (const Piece &piece : pieces_)
    if (!joined.empty() && piece.start <= joined.back().end)
      joined.back().end = std::max(joined.back().end, piece.end);
    else
      joined.push_back(piece);
  pieces_ = std::move(joined);
  joined_count_ = pieces_.size();
}

std::uint64_t MapParts::count_pages(std::uint64_t page_bytes) const {
  std::uint64_t count = 0, next = 0; // first page that is not counted yet
  for (const Piece &piece : pieces_) {
    std::uint64_t first = std::max(next, piece.start / page_bytes);
    std::uint64_t end = (piece.end + page_bytes - 1) / page_bytes;
    count += end > first ? end - first : 0;
    next = std::max(next, end);
  }
  return count;
}

Result<> MapParts::tell_residency(AddressSpace &space, MapAnatomy &anatomy) const {
  std::vector<ProcessRange> pages;
  for (const Piece &piece : pieces_) {
    std::uint64_t start = piece.start / kKernelPageBytes * kKernelPageBytes;
    std::uint64_t end = (piece.end + kKernelPageBytes - 1) / kKernelPageBytes * kKernelPageBytes;
    if (!pages.empty() && start <= pages.back().end().value)
      pages.back().size_bytes = end - pages.back().start.value;
    else
      pages.push_back({{start}, end - start});
  }
  auto runs = space.resident_pages(pages);
  if (!runs) {
    if (runs.error().code() == Errc::unsupported || runs.error().code() == Errc::denied)
      return {}; // not known, and said so
    return std::unexpected(std::move(runs).error());
  }
  anatomy.resident_pages = anatomy.swapped_pages = 0;
  auto next_page = pages.begin();
  auto next_piece = pieces_.begin();
  for (const PageRun &run : *runs) {
    std::uint64_t start = run.range.start.value, end = run.range.end().value;
    std::uint64_t page_bytes = 0, bytes = 0;
    while (next_page != pages.end() && next_page->end().value <= start)
      ++next_page;
    for (auto page = next_page; page != pages.end() && page->start.value < end; ++page)
      page_bytes += overlap(page->start.value, page->end().value, start, end);
    while (next_piece != pieces_.end() && next_piece->end <= start)
      ++next_piece;
    for (auto piece = next_piece; piece != pieces_.end() && piece->start < end; ++piece)
      bytes += overlap(piece->start, piece->end, start, end);
    *(run.is_swapped ? anatomy.swapped_pages : anatomy.resident_pages) +=
        page_bytes / kKernelPageBytes;
    (run.is_swapped ? anatomy.map.swapped_bytes : anatomy.map.resident_bytes) += bytes;
  }
  return {};
}

Result<> MapParts::tell(AddressSpace &space, MapAnatomy &anatomy) {
  join_pieces();
  anatomy.objects = rows_;
  anatomy.objects.resize(std::min(rows_.size(), kObjectsShownMax));
  anatomy.object_count = object_count_;
  anatomy.span_count = span_count_;
  anatomy.heap_pages = count_pages(kGoPageBytes);
  anatomy.kernel_page_bytes = kKernelPageBytes;
  anatomy.kernel_pages = count_pages(kKernelPageBytes);
  anatomy.map.resident_bytes = anatomy.map.swapped_bytes = 0;
  return tell_residency(space, anatomy);
}

} // namespace mapscope
