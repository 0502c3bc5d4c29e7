// One read for the bits of each page that objects of a round lie in, instead of one for each
// object.
#include "heap/owners/pointer_bits.h"

#include <algorithm>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGapBytesMax = 1024;
constexpr std::uint64_t kLongWords = 64; // that are told of objects above 512 bytes

} // namespace

PointerBits::PointerBits(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans)
    : space_(space), spans_(spans), bitmaps_(spans, layout),
      page_bytes_(layout.pointer_bitmap == PointerBitmap::arena_two_bits
                      ? PointerBitmaps::kPageWords / 4
                      : PointerBitmaps::kPageWords / 8) {}

Result<> PointerBits::read(std::span<const HeapObject> objects) {
  for (const std::uint32_t span : pages_)
    row_of_span_[span] = 0;
  pages_.clear();
  long_.clear();
  row_of_span_.resize(spans_.size());
  for (const HeapObject &object : objects) {
    if (object.span >= row_of_span_.size() || row_of_span_[object.span] != 0)
      continue;
    if (object.size_bytes <= kHeaderlessBytesMax &&
        spans_.size_bytes(object.span) == kGoPageBytes) {
      if (spans_.span_class(object.span).has_pointers()) {
        row_of_span_[object.span] = 1; // until it is known which
        pages_.push_back(object.span);
      }
    } else if (const auto place = bitmaps_.place(spans_, object.span, object.start, kLongWords)) {
      long_.push_back({.start = object.start, .place = *place, .pointers = {}});
    }
  }
  TRY(read_pages());
  return read_long_objects();
}

Result<> PointerBits::read_pages() {
  struct Page {
    std::uint64_t address = 0;
    std::uint32_t span = 0;
  };
  std::vector<Page> pages;
  pages.reserve(pages_.size());
  for (const std::uint32_t span : pages_) {
    const auto place = bitmaps_.place(spans_, span, spans_.start(span), PointerBitmaps::kPageWords);
    row_of_span_[span] = 0;
    if (place && place->size_bytes == page_bytes_)
      pages.push_back({place->address, span});
  }
  std::ranges::sort(pages, {}, &Page::address);
  std::vector<WantedRange> ranges;
  ranges.reserve(pages.size());
  for (const Page &page : pages)
    ranges.push_back({page.address, static_cast<std::uint32_t>(page_bytes_)});
  rows_.resize(pages.size() * page_bytes_);
  return read_sorted(
      space_, ranges, kGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
        if (bytes.size() != page_bytes_)
          return;
        std::ranges::copy(bytes, rows_.begin() + static_cast<std::ptrdiff_t>(index * page_bytes_));
        row_of_span_[pages[index].span] = static_cast<std::uint32_t>(index + 1);
      });
}

Result<> PointerBits::read_long_objects() {
  auto address = [](const LongObject &object) { return object.place.address; };
  std::ranges::sort(long_, {}, address);
  std::vector<WantedRange> ranges;
  for (const LongObject &object : long_)
    ranges.push_back({object.place.address, object.place.size_bytes});
  TRY(read_sorted(
      space_, ranges, kGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
        if (!bytes.empty())
          long_[index].pointers = bitmaps_.pointers(bytes, long_[index].place.first, kLongWords);
      }));
  std::ranges::sort(long_, {}, &LongObject::start);
  return {};
}

std::optional<std::uint64_t> PointerBits::of(const HeapObject &object) const {
  if (object.span >= row_of_span_.size())
    return std::nullopt;
  const std::uint32_t row = row_of_span_[object.span];
  if (row != 0) {
    const std::uint64_t words_a_byte = PointerBitmaps::kPageWords / page_bytes_;
    const std::uint64_t word = (object.start - spans_.start(object.span)) / 8;
    if (word >= PointerBitmaps::kPageWords)
      return std::nullopt;
    const auto bits = std::span{rows_}.subspan((row - 1) * page_bytes_, page_bytes_);
    return bitmaps_.pointers(bits.subspan(word / words_a_byte),
                             static_cast<std::uint32_t>(word % words_a_byte),
                             object.size_bytes / 8);
  }
  const auto found = std::ranges::lower_bound(long_, object.start, {}, &LongObject::start);
  return found != long_.end() && found->start == object.start ? found->pointers : std::nullopt;
}

Result<std::optional<std::vector<bool>>> PointerBits::words(const HeapObject &object,
                                                            std::uint64_t words_max) {
  const std::uint64_t count = object.size_bytes / 8;
  const auto place =
      count > words_max ? std::nullopt : bitmaps_.place(spans_, object.span, object.start, count);
  if (!place)
    return std::nullopt;
  std::vector<std::byte> bytes(place->size_bytes);
  if (auto read = read_exactly(space_, place->address, bytes); !read) {
    if (read.error().code() == Errc::not_found)
      return std::nullopt;
    return std::unexpected(std::move(read).error());
  }
  const std::uint64_t words_a_byte = PointerBitmaps::kPageWords / page_bytes_;
  std::vector<bool> words(count);
  for (std::uint64_t done = 0; done < count; done += 64) {
    const std::uint64_t at = place->first + done;
    const std::uint64_t some = std::min<std::uint64_t>(64, count - done);
    const std::uint64_t bits =
        bitmaps_.pointers(std::span{bytes}.subspan(at / words_a_byte),
                          static_cast<std::uint32_t>(at % words_a_byte), some);
    for (std::uint64_t word = 0; word < some; ++word)
      words[done + word] = (bits >> word & 1) != 0;
  }
  return words;
}

} // namespace mapscope
