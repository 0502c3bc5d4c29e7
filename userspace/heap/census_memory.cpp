// Maps by page of their header, page after page, as candidates come.
#include "heap/census_memory.h"

#include <algorithm>

#include "go/size_classes.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSlotStep = 16; // headers lie at multiples of 16 bytes

std::uint64_t page_of(std::uint64_t address) { return address / kGoPageBytes * kGoPageBytes; }

std::uint16_t slot_of(std::uint64_t address) {
  return static_cast<std::uint16_t>(address % kGoPageBytes / kSlotStep);
}

} // namespace

std::uint32_t digest_of(std::span<const std::byte> bytes, std::uint64_t place,
                        std::size_t left_out) {
  std::uint64_t digest = place;
  for (std::size_t offset = 0; offset + 8 <= bytes.size(); offset += 8) {
    auto word = load<std::uint64_t>(bytes, offset);
    if (left_out - offset < 8)
      word &= ~(std::uint64_t{0xff} << (left_out - offset) * 8);
    digest = (digest ^ word) * 0x9e3779b97f4a7c15;
    digest ^= digest >> 32;
  }
  return static_cast<std::uint32_t>(digest);
}

void RememberedMap::tell(DecodedMap &map) const {
  MapSample &sample = map.sample;
  sample.types = types;
  sample.evidence = static_cast<MapEvidence>(evidence);
  sample.bytes.indirect = indirect_bytes;
  sample.history.has_deletions |= has_deletions != 0;
  map.bucket_bytes = group_bytes;
  sample.group_bytes = is_group_certain != 0 ? group_bytes : 0;
  map.is_remembered = true;
}

void CensusMemory::find(std::span<const HeaderCandidate> candidates,
                        std::vector<const RememberedMap *> &found) {
  found.clear();
  for (const HeaderCandidate &candidate : candidates)
    found.push_back(find(candidate.address));
}

const RememberedMap *CensusMemory::find(std::uint64_t address) {
  std::uint64_t page = page_of(address);
  if (page != found_page_) {
    found_page_ = 0;
    if (page_ + 1 < pages_.size() && pages_[page_ + 1].address == page) // mostly it is the next
      ++page_;
    else
      page_ = static_cast<std::size_t>(std::ranges::lower_bound(pages_, page, {}, &Page::address) -
                                       pages_.begin());
    if (page_ >= pages_.size() || pages_[page_].address != page)
      return nullptr;
    found_page_ = page;
    next_ = pages_[page_].first;
  }
  std::uint64_t last =
      page_ + 1 < pages_.size() ? pages_[page_ + 1].first : forgotten_ + maps_.size();
  std::uint16_t slot = slot_of(address);
  while (next_ < last && maps_[next_ - forgotten_].slot < slot)
    ++next_;
  return next_ < last && maps_[next_ - forgotten_].slot == slot ? &maps_[next_ - forgotten_]
                                                                : nullptr;
}

void CensusMemory::forget_before(std::uint64_t address) {
  std::size_t gone = 0;
  while (gone < pages_.size() && pages_[gone].address < page_of(address))
    ++gone;
  if (gone == 0)
    return;
  std::uint64_t first = gone < pages_.size() ? pages_[gone].first : forgotten_ + maps_.size();
  maps_.erase(maps_.begin(), maps_.begin() + static_cast<std::ptrdiff_t>(first - forgotten_));
  pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(gone));
  forgotten_ = first;
  page_ = 0;
  found_page_ = 0;
}

void CensusMemory::note(const DecodedMap &map) {
  const MapSample &sample = map.sample;
  std::uint32_t group_bytes = std::max(map.bucket_bytes, sample.group_bytes);
  if (!map.can_be_remembered || sample.bytes.indirect >> 32 != 0 || group_bytes >> 16 != 0)
    return;
  RememberedMap noted{.seed = static_cast<std::uint32_t>(sample.seed),
                      .header_digest = map.header_digest,
                      .tables_digest = map.tables_digest,
                      .types = sample.types,
                      .indirect_bytes = static_cast<std::uint32_t>(sample.bytes.indirect),
                      .group_bytes = static_cast<std::uint16_t>(group_bytes)};
  noted.slot = slot_of(sample.address.value) & 0x1ff;
  noted.evidence = static_cast<std::uint8_t>(sample.evidence) & 3;
  noted.is_group_certain = sample.group_bytes != 0;
  noted.has_deletions = sample.history.has_deletions;
  noted.has_more_objects = map.has_overflow_objects || sample.bytes.indirect != 0;
  noted_.push_back({sample.address.value, noted});
}

void CensusMemory::finish_chunk() {
  if (!std::ranges::is_sorted(noted_, {}, &Noted::address))
    std::ranges::sort(noted_, {}, &Noted::address);
  for (const Noted &noted : noted_) {
    std::uint64_t page = page_of(noted.address);
    if (pages_.empty() || pages_.back().address != page)
      pages_.push_back({page, forgotten_ + maps_.size()});
    maps_.push_back(noted.map);
  }
  noted_.clear();
}

} // namespace mapscope
