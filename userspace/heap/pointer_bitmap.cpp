// Bits of 64 words at once, whatever their arrangement.
#include "heap/pointer_bitmap.h"

#include <algorithm>
#include <array>
#include <bit>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSpanBitmapBytes = kGoPageBytes / 64;
// Of the collector "green tea": in spans of small objects with pointers, but not of the smallest.
// Go source: runtime/mgcmark_greenteagc.go, gcUsesSpanInlineMarkBits.
constexpr std::uint64_t kInlineMarkBytes = 128, kInlineMarksFrom = 16;

std::uint64_t low_bits(std::uint64_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// The room that marks take shows where fewer objects fit because of it. All spans are alike.
bool have_inline_marks(const SpanTable &spans) {
  for (std::uint32_t span = 0; span < spans.size(); ++span) {
    const SpanClass span_class = spans.span_class(span);
    const std::uint64_t elem = spans.elem_bytes(span);
    if (!span_class.has_pointers() || span_class.size_class() == 0 || elem < kInlineMarksFrom ||
        elem > kHeaderlessBytesMax || spans.size_bytes(span) != kGoPageBytes)
      continue;
    const std::uint64_t without = (kGoPageBytes - kSpanBitmapBytes) / elem;
    const std::uint64_t with = (kGoPageBytes - kSpanBitmapBytes - kInlineMarkBytes) / elem;
    if (with != without)
      return spans.elem_count(span) == with;
  }
  return false;
}

} // namespace

PointerBitmaps::PointerBitmaps(const SpanTable &spans, const HeapLayout &layout)
    : kind_(layout.pointer_bitmap), arena_bitmap_(layout.arena_bitmap),
      inline_mark_bytes_(
          kind_ == PointerBitmap::in_span && have_inline_marks(spans) ? kInlineMarkBytes : 0) {}

std::optional<PointerBitmapPlace> PointerBitmaps::place(const SpanTable &spans, std::uint32_t span,
                                                        std::uint64_t address,
                                                        std::uint64_t word_count) const {
  const std::uint64_t start = spans.start(span);
  if (!spans.span_class(span).has_pointers() || address < start)
    return std::nullopt;
  std::uint64_t words_a_byte = 8, bitmap = 0, word = 0, room = 0;
  if (kind_ == PointerBitmap::in_span) {
    const std::uint64_t elem = spans.elem_bytes(span);
    if (elem > kHeaderlessBytesMax || spans.size_bytes(span) != kGoPageBytes)
      return std::nullopt;
    bitmap = start + kGoPageBytes - kSpanBitmapBytes -
             (elem >= kInlineMarksFrom ? inline_mark_bytes_ : 0);
    word = (address - start) / 8;
    room = kPageWords;
  } else {
    const std::uint64_t arena = spans.arena_address(address);
    if (arena == 0)
      return std::nullopt;
    words_a_byte = kind_ == PointerBitmap::arena_two_bits ? 4 : 8;
    bitmap = arena + arena_bitmap_;
    word = address % SpanTable::kArenaBytes / 8;
    room = SpanTable::kArenaBytes / 8;
  }
  if (word > room || word_count > room - word)
    return std::nullopt;
  const auto first = static_cast<std::uint32_t>(word % words_a_byte);
  return PointerBitmapPlace{.address = bitmap + word / words_a_byte,
                            .size_bytes = static_cast<std::uint32_t>(
                                (first + word_count + words_a_byte - 1) / words_a_byte),
                            .first = first};
}

std::uint64_t PointerBitmaps::pointers(std::span<const std::byte> bytes, std::uint32_t first,
                                       std::uint64_t word_count) const {
  if (kind_ != PointerBitmap::arena_two_bits) {
    std::array<std::byte, 16> copy{};
    std::ranges::copy(bytes.first(std::min<std::size_t>(bytes.size(), 9)), copy.begin());
    const auto low = load<std::uint64_t>(copy, 0), high = load<std::uint64_t>(copy, 8);
    const std::uint64_t bits = first == 0 ? low : low >> first | high << (64 - first);
    return bits & low_bits(word_count);
  }
  // Four pointer bits, then four that say whether more may follow.
  std::uint64_t pointers = 0, more = 0;
  for (std::uint64_t word = 0; word < std::min<std::uint64_t>(word_count, 64); ++word) {
    const std::uint64_t at = first + word;
    if (at / 4 >= bytes.size())
      break;
    const auto value = std::to_integer<std::uint64_t>(bytes[at / 4]) >> at % 4;
    pointers |= (value & 1) << word;
    more |= (value >> 4 & 1) << word;
  }
  return pointers & low_bits(static_cast<std::uint64_t>(std::countr_one(more)));
}

} // namespace mapscope
