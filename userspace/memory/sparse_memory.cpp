// Two levels of tables, as the processor has them.
#include "memory/sparse_memory.h"

#include <algorithm>

namespace mapscope {
namespace {

// Calls `visit(word, mask)` for the words that bits [first, first + count) lie in.
template <typename Visit> void for_each_word(std::size_t first, std::size_t count, Visit visit) {
  while (count > 0) {
    const std::size_t shift = first % 64, bits = std::min(count, 64 - shift);
    const std::uint64_t ones = bits == 64 ? ~0ULL : (1ULL << bits) - 1;
    visit(first / 64, ones << shift);
    first += bits;
    count -= bits;
  }
}

bool fits(ProcessAddress address, std::size_t size) {
  return size == 0 || address.value + (size - 1) >= address.value;
}

} // namespace

SparseMemory::Page *SparseMemory::make_page(std::uint64_t number) {
  const std::uint64_t region_number = number / kRegionPages;
  auto region = regions_.find(region_number);
  // What libraries add to an element of their containers.
  constexpr std::uint64_t kNodeBytes = 64;
  const std::uint64_t region_bytes = region == regions_.end() ? sizeof(Region) + kNodeBytes : 0;
  Page **place = region == regions_.end() ? nullptr : &region->second[number % kRegionPages];
  if (place != nullptr && *place != nullptr)
    return *place;
  const std::uint64_t needed_bytes = region_bytes + sizeof(Page) + sizeof(Known) + kNodeBytes;
  if (needed_bytes > bytes_left_)
    return nullptr;
  bytes_left_ -= needed_bytes;
  if (place == nullptr)
    place = &regions_.try_emplace(region_number).first->second[number % kRegionPages];
  Page &page = pages_.emplace_back();
  page.known = std::make_unique<Known>();
  *place = &page;
  return &page;
}

const SparseMemory::Page *SparseMemory::find_page(std::uint64_t number) const {
  const auto region = regions_.find(number / kRegionPages);
  return region == regions_.end() ? nullptr : region->second[number % kRegionPages];
}

bool SparseMemory::write(ProcessAddress address, std::span<const std::byte> bytes) {
  if (!fits(address, bytes.size()))
    return false;
  while (!bytes.empty()) {
    Page *page = make_page(address.value / kPageBytes);
    if (page == nullptr)
      return false;
    const std::size_t start = address.value % kPageBytes;
    const std::size_t count = std::min(bytes.size(), kPageBytes - start);
    std::ranges::copy(bytes.first(count), page->bytes.begin() + start);
    if (count == kPageBytes)
      page->known.reset();
    if (page->known)
      for_each_word(start, count,
                    [page](std::size_t word, std::uint64_t mask) { (*page->known)[word] |= mask; });
    bytes = bytes.subspan(count);
    address.value += count;
  }
  return true;
}

bool SparseMemory::read(ProcessAddress address, std::span<std::byte> into) const {
  if (!fits(address, into.size()))
    return false;
  while (!into.empty()) {
    const Page *page = find_page(address.value / kPageBytes);
    if (page == nullptr)
      return false;
    const std::size_t start = address.value % kPageBytes;
    const std::size_t count = std::min(into.size(), kPageBytes - start);
    bool is_known = true;
    if (page->known)
      for_each_word(start, count, [&](std::size_t word, std::uint64_t mask) {
        is_known &= ((*page->known)[word] & mask) == mask;
      });
    if (!is_known)
      return false;
    std::ranges::copy(std::span{page->bytes}.subspan(start, count), into.begin());
    into = into.subspan(count);
    address.value += count;
  }
  return true;
}

} // namespace mapscope
