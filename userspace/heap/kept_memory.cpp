// Answers from what is kept where one kept range holds all that is wanted, else from the process.
#include "heap/kept_memory.h"

#include <algorithm>
#include <iterator>

namespace mapscope {

bool KeptMemory::take_kept(MemoryRead &read) const {
  auto after = kept_.upper_bound(read.address.value);
  if (after == kept_.begin())
    return false;
  const auto &[start, bytes] = *std::prev(after);
  std::uint64_t offset = read.address.value - start;
  if (offset > bytes.size() || read.into.size() > bytes.size() - offset)
    return false;
  std::ranges::copy(std::span{bytes}.subspan(offset, read.into.size()), read.into.begin());
  read.is_read = true;
  return true;
}

void KeptMemory::keep(const MemoryRead &read) {
  if (!read.is_read || read.into.size() > left_)
    return;
  // Of two that begin at one place the longer one answers for both.
  std::vector<std::byte> &bytes = kept_[read.address.value];
  if (bytes.size() >= read.into.size())
    return;
  left_ -= read.into.size() - bytes.size();
  bytes.insert(bytes.end(), read.into.begin() + static_cast<std::ptrdiff_t>(bytes.size()),
               read.into.end());
}

Result<> KeptMemory::read(std::span<MemoryRead> reads) {
  missing_.clear();
  missing_index_.clear();
  for (std::size_t i = 0; i < reads.size(); ++i)
    if (!take_kept(reads[i])) {
      missing_.push_back(reads[i]);
      missing_index_.push_back(i);
    }
  if (missing_.empty())
    return {};
  TRY(space_.read(missing_));
  for (std::size_t i = 0; i < missing_.size(); ++i) {
    reads[missing_index_[i]].is_read = missing_[i].is_read;
    keep(missing_[i]);
  }
  return {};
}

} // namespace mapscope
