// Runs of pages of one kind, from either interface of the kernel.
#include "memory/residency.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace mapscope {
namespace {

// A gigabyte of alternating pages has 131,072 runs; beyond this it is no heap.
constexpr std::size_t kRunsMax = 4 << 20;

std::uint64_t system_page_bytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Puts pages together that follow each other and are of one kind.
class Runs {
public:
  void add(const PageRun &run) { append_run(runs_, run); }

  Result<> status() const {
    if (runs_.size() <= kRunsMax)
      return {};
    return fail(Errc::system, "the pages in memory lie in more than {} pieces", kRunsMax);
  }
  std::vector<PageRun> take() { return std::move(runs_); }

private:
  std::vector<PageRun> runs_;
};

// PAGEMAP_SCAN as Documentation/admin-guide/mm/pagemap.rst and include/uapi/linux/fs.h of Linux
// 6.7 describe it. Declared here because the headers of older systems lack it, and a program
// built there has to use it on newer kernels.
struct PageRegion {
  std::uint64_t start, end, categories;
};

struct ScanArguments {
  std::uint64_t size, flags, start, end, walk_end, regions, regions_max, pages_max,
      category_inverted, category_mask, category_any_mask, return_mask;
};

constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr std::uint64_t kPageIsFile = 1 << 2, kPageIsPresent = 1 << 3, kPageIsSwapped = 1 << 4,
                        kPageIsZero = 1 << 5, kPageIsHuge = 1 << 6;

Result<> scan(const Fd &pagemap, ProcessRange wanted, Runs &runs) {
  std::array<PageRegion, 512> regions;
  ScanArguments arguments{.size = sizeof(ScanArguments),
                          .start = wanted.start.value,
                          .end = wanted.end().value,
                          .regions = reinterpret_cast<std::uint64_t>(regions.data()),
                          .regions_max = regions.size(),
                          .category_inverted = kPageIsZero,
                          .category_mask = kPageIsZero,
                          .category_any_mask = kPageIsPresent | kPageIsSwapped,
                          .return_mask =
                              kPageIsFile | kPageIsPresent | kPageIsSwapped | kPageIsHuge};
  while (arguments.start < arguments.end) {
    const int count = ::ioctl(pagemap.get(), kPagemapScan, &arguments);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0 && errno == EFAULT)
      return {}; // beyond what a process can have
    // The answers of kernels that do not know it, and of sandboxes that refuse it.
    if (count < 0 && (errno == ENOTTY || errno == EINVAL || errno == ENOSYS || errno == EPERM))
      return fail(Errc::unsupported, "PAGEMAP_SCAN: {}", std::strerror(errno));
    if (count < 0)
      return std::unexpected(Error::from_errno("PAGEMAP_SCAN"));
    for (const PageRegion &region : std::span{regions}.first(static_cast<std::size_t>(count)))
      runs.add({.range = {{region.start}, region.end - region.start},
                .is_swapped = (region.categories & kPageIsSwapped) != 0,
                .is_huge = (region.categories & kPageIsHuge) != 0,
                .is_file = (region.categories & kPageIsFile) != 0});
    TRY(runs.status());
    if (arguments.walk_end <= arguments.start)
      return fail(Errc::system, "PAGEMAP_SCAN does not get on");
    arguments.start = arguments.walk_end;
  }
  return {};
}

// The part of each run that lies in one of `ranges`.
std::vector<PageRun> clipped(std::span<const PageRun> runs, std::span<const ProcessRange> ranges) {
  std::vector<PageRun> inside;
  auto range = ranges.begin();
  for (const PageRun &run : runs) {
    while (range != ranges.end() && range->end() <= run.range.start)
      ++range;
    for (auto at = range; at != ranges.end() && at->start < run.range.end(); ++at) {
      PageRun part = run;
      part.range.start = std::max(run.range.start, at->start);
      part.range.size_bytes = std::min(run.range.end(), at->end()).value - part.range.start.value;
      inside.push_back(part);
    }
  }
  return inside;
}

// An entry of /proc/PID/pagemap. Documentation/admin-guide/mm/pagemap.rst of Linux.
constexpr std::uint64_t kEntryPresent = 1ULL << 63, kEntrySwapped = 1ULL << 62,
                        kEntryFile = 1ULL << 61, kEntryExclusive = 1ULL << 56;

std::optional<PageRun> run_of(std::uint64_t entry, std::uint64_t address) {
  const bool is_file = (entry & kEntryFile) != 0;
  const bool is_swapped = (entry & kEntrySwapped) != 0;
  const bool is_present =
      (entry & kEntryPresent) != 0 && (is_file || (entry & kEntryExclusive) != 0);
  if (!is_present && !is_swapped)
    return std::nullopt;
  return PageRun{
      .range = {{address}, system_page_bytes()}, .is_swapped = is_swapped, .is_file = is_file};
}

} // namespace

std::vector<ProcessRange> whole_pages(std::span<const ProcessRange> ranges,
                                      std::uint64_t page_bytes) {
  std::vector<ProcessRange> whole;
  for (const ProcessRange &range : ranges) {
    const std::uint64_t last = range.start.value + range.size_bytes - 1;
    if (range.size_bytes == 0 || last < range.start.value)
      continue; // no address space has it
    const std::uint64_t start = range.start.value / page_bytes * page_bytes;
    const std::uint64_t end = last / page_bytes * page_bytes + page_bytes;
    if (end < start)
      continue; // the last page of all, which is never mapped
    if (!whole.empty() && start <= whole.back().end().value)
      whole.back().size_bytes = std::max(whole.back().end().value, end) - whole.back().start.value;
    else
      whole.push_back({{start}, end - start});
  }
  return whole;
}

void append_run(std::vector<PageRun> &runs, const PageRun &run) {
  if (!runs.empty()) {
    PageRun &last = runs.back();
    if (last.range.end() == run.range.start && last.is_swapped == run.is_swapped &&
        last.is_huge == run.is_huge && last.is_file == run.is_file) {
      last.range.size_bytes += run.range.size_bytes;
      return;
    }
  }
  runs.push_back(run);
}

Result<std::vector<PageRun>> scan_residency(const Fd &pagemap,
                                            std::span<const ProcessRange> ranges) {
  // To walk over a gap costs 14 ns a page, and a call about as much as a hundred pages.
  constexpr std::uint64_t kGapPagesMax = 64;
  const std::vector<ProcessRange> whole = whole_pages(ranges, system_page_bytes());
  Runs runs;
  for (auto first = whole.begin(); first != whole.end();) {
    auto last = first;
    while (last + 1 != whole.end() &&
           (last + 1)->start.value - last->end().value <= kGapPagesMax * system_page_bytes())
      ++last;
    TRY(scan(pagemap, {first->start, last->end().value - first->start.value}, runs));
    first = last + 1;
  }
  return clipped(runs.take(), whole);
}

Result<std::vector<PageRun>> read_residency_entries(const Fd &pagemap,
                                                    std::span<const ProcessRange> ranges) {
  std::array<std::uint64_t, 4096> entries;
  const std::uint64_t page = system_page_bytes();
  Runs runs;
  for (const ProcessRange &range : whole_pages(ranges, system_page_bytes()))
    for (std::uint64_t at = range.start.value; at < range.end().value;) {
      const std::size_t wanted =
          std::min<std::uint64_t>(entries.size(), (range.end().value - at) / page);
      const ssize_t got = ::pread(pagemap.get(), entries.data(), wanted * sizeof(entries[0]),
                                  static_cast<off_t>(at / page * sizeof(entries[0])));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return std::unexpected(Error::from_errno("reading the page map"));
      const std::size_t count = static_cast<std::size_t>(got) / sizeof(entries[0]);
      if (count == 0)
        break; // beyond what a process can have, or it has ended
      for (std::size_t i = 0; i < count; ++i)
        if (const auto run = run_of(entries[i], at + i * page))
          runs.add(*run);
      TRY(runs.status());
      at += count * page;
    }
  return runs.take();
}

Result<std::vector<PageRun>> read_residency(const Fd &pagemap,
                                            std::span<const ProcessRange> ranges) {
  auto scanned = scan_residency(pagemap, ranges);
  if (scanned || scanned.error().code() != Errc::unsupported)
    return scanned;
  return read_residency_entries(pagemap, ranges);
}

} // namespace mapscope
