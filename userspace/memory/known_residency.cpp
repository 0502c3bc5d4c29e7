// A map of intervals, each with the answer that was the last about it.
#include "memory/known_residency.h"

#include <algorithm>
#include <utility>

#include "memory/residency.h"

namespace mapscope {

// Afterwards no interval goes across `address`.
void KnownResidency::split_at(std::uint64_t address) {
  auto behind = asked_.upper_bound(address);
  if (behind == asked_.begin())
    return;
  auto &[start, asked] = *std::prev(behind);
  if (start == address || asked.end <= address)
    return;
  asked_.emplace_hint(behind, address, asked);
  asked.end = address;
}

void KnownResidency::add(std::span<const ProcessRange> ranges, std::vector<PageRun> runs,
                         std::uint64_t page_bytes) {
  page_bytes_ = page_bytes;
  for (const ProcessRange &range : whole_pages(ranges, page_bytes)) {
    const std::uint64_t start = range.start.value, end = range.end().value;
    split_at(start);
    split_at(end);
    asked_.erase(asked_.lower_bound(start), asked_.lower_bound(end));
    asked_.emplace(start, Asked{end, answers_.size()});
  }
  answers_.push_back(std::move(runs));
}

Result<std::vector<PageRun>> KnownResidency::answer(std::span<const ProcessRange> ranges) const {
  std::vector<PageRun> known;
  for (const ProcessRange &range : whole_pages(ranges, page_bytes_))
    for (std::uint64_t at = range.start.value; at < range.end().value;) {
      const auto behind = asked_.upper_bound(at);
      if (behind == asked_.begin() || std::prev(behind)->second.end <= at)
        return fail(Errc::unsupported, "which pages were in memory at {:#x} is not known", at);
      const Asked &asked = std::prev(behind)->second;
      const std::uint64_t end = std::min(asked.end, range.end().value);
      const std::vector<PageRun> &runs = answers_[asked.index];
      auto run = std::ranges::upper_bound(runs, at, {},
                                          [](const PageRun &one) { return one.range.end().value; });
      for (; run != runs.end() && run->range.start.value < end; ++run) {
        PageRun part = *run;
        part.range.start.value = std::max(run->range.start.value, at);
        part.range.size_bytes = std::min(run->range.end().value, end) - part.range.start.value;
        append_run(known, part);
      }
      at = end;
    }
  return known;
}

} // namespace mapscope
