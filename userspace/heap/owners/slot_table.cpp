// Memory comes zeroed from the kernel as it is touched; what the walk never reaches costs nothing.
#include "heap/owners/slot_table.h"

#include <algorithm>
#include <new>

namespace mapscope {
namespace {

constexpr std::uint64_t kSlotBytes = 2 * sizeof(std::uint32_t);

} // namespace

SlotTable::SlotTable(const SpanTable &spans, std::span<const std::uint64_t> maps,
                     std::uint64_t bytes_max)
    : table_(spans), spans_(spans.size()) {
  std::uint64_t slots = 0, words = 0;
  const std::uint64_t bytes = spans_.size() * sizeof(Span);
  const std::uint64_t slots_max =
      std::min<std::uint64_t>((bytes_max - std::min(bytes, bytes_max)) / kSlotBytes, kNone - 1);
  for (std::uint32_t i = 0; i < spans_.size(); ++i) {
    Span &span = spans_[i];
    span.start = spans.start(i);
    span.elem_count = spans.elem_count(i);
    const bool is_large = spans.span_class(i).size_class() == 0;
    span.elem_bytes = is_large ? 0 : static_cast<std::uint32_t>(spans.elem_bytes(i));
    span.words = static_cast<std::uint32_t>(words);
    if (is_large)
      large_.push_back({span.start, span.start + spans.size_bytes(i), i});
    if (!spans.span_class(i).has_pointers())
      continue;
    // A word of a span that has no number could not be told from another.
    if (slots + span.elem_count > slots_max || words + spans.size_bytes(i) / 8 >= kOutside) {
      span.is_left_out = true;
      ++left_out_count_;
      continue;
    }
    span.slots = static_cast<std::uint32_t>(slots);
    slots += span.elem_count;
    words += spans.size_bytes(i) / 8;
  }
  std::ranges::sort(large_, {}, &Large::start);
  patterns_.reset(static_cast<std::uint32_t *>(std::calloc(slots + 1, sizeof(std::uint32_t))));
  words_.reset(static_cast<std::uint32_t *>(std::calloc(slots + 1, sizeof(std::uint32_t))));
  if (!patterns_ || !words_)
    throw std::bad_alloc();
  add_maps(maps);
}

void SlotTable::add_maps(std::span<const std::uint64_t> maps) {
  for (std::uint32_t i = 0; i < maps.size(); ++i) {
    SlotRef slot;
    if (find(maps[i], slot) != Place::slot || slot.start != maps[i])
      continue;
    Span &span = spans_[slot.span];
    if (span.maps == kNone) {
      span.maps = static_cast<std::uint32_t>(map_of_slot_.size());
      map_of_slot_.resize(map_of_slot_.size() + span.elem_count, kNone);
    }
    map_of_slot_[span.maps + slot.slot] = i;
  }
}

std::optional<std::uint32_t> SlotTable::find_span(std::uint64_t address) const {
  if (const auto span = table_.find_span(address))
    return span;
  const auto after = std::ranges::upper_bound(large_, address, {}, &Large::start);
  if (after == large_.begin() || address >= std::prev(after)->end)
    return std::nullopt;
  return std::prev(after)->span;
}

SlotTable::Place SlotTable::find(std::uint64_t address, SlotRef &into) const {
  const auto number = find_span(address);
  if (!number)
    return Place::nowhere;
  const Span &span = spans_[*number];
  if (span.slots == kNone)
    return span.is_left_out ? Place::nowhere : Place::no_pointers;
  into.span = *number;
  // Spans of small objects are small.
  into.slot =
      span.elem_bytes == 0 ? 0 : static_cast<std::uint32_t>(address - span.start) / span.elem_bytes;
  if (into.slot >= span.elem_count)
    return Place::nowhere; // behind the last object, where the heap keeps its bitmap
  into.index = span.slots + into.slot;
  into.start = span.start + std::uint64_t{into.slot} * span.elem_bytes;
  return Place::slot;
}

HeapObject SlotTable::object(const SlotRef &slot) const {
  return *table_.find_object(slot.start); // a slot that find() found
}

std::uint64_t SlotTable::word(const SlotRef &slot) const {
  const std::uint32_t packed = words_[slot.index];
  if (packed >= kOutside)
    return outside_[packed - kOutside];
  if (state(slot) == SlotState::unseen)
    return 0;
  // The last span that begins with this word or an earlier one; spans without words begin where the
  // next one does.
  const auto after = std::ranges::upper_bound(spans_, packed, {}, &Span::words);
  return std::prev(after)->start + std::uint64_t{packed - std::prev(after)->words} * 8;
}

std::uint32_t SlotTable::pack_word(std::uint64_t address) {
  SlotRef slot;
  if (find(address, slot) == Place::slot)
    return spans_[slot.span].words +
           static_cast<std::uint32_t>((address - spans_[slot.span].start) / 8);
  if (outside_.empty() || outside_.back() != address)
    outside_.push_back(address);
  return kOutside + static_cast<std::uint32_t>(outside_.size() - 1);
}

bool SlotTable::leads_back(const SlotRef &slot, std::uint64_t word) const {
  constexpr unsigned kStepsMax = 256;
  SlotRef holder;
  for (unsigned step = 0; step < kStepsMax; ++step) {
    if (word == 0 || find(word, holder) != Place::slot)
      return false;
    if (holder.index == slot.index)
      return true;
    word = this->word(holder);
  }
  return true;
}

void SlotTable::set(const SlotRef &slot, SlotState state, std::uint32_t pattern,
                    std::uint64_t word) {
  patterns_[slot.index] = pattern | std::uint32_t{static_cast<std::uint8_t>(state)} << 30;
  words_[slot.index] = pack_word(word);
}

std::optional<std::uint32_t> SlotTable::map_at(const SlotRef &slot, std::uint64_t address) const {
  const Span &span = spans_[slot.span];
  if (span.maps == kNone || address != slot.start)
    return std::nullopt;
  const std::uint32_t map = map_of_slot_[span.maps + slot.slot];
  return map == kNone ? std::nullopt : std::optional{map};
}

} // namespace mapscope
