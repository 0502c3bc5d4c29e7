// Joins neighbours into large reads, and reads one by one where a joined read failed.
#include "heap/bulk_read.h"

#include <algorithm>

namespace mapscope {
namespace {

constexpr std::size_t kJoinedBytesMax = 1 << 18; // of one read, unless one wanted range is larger
constexpr std::size_t kBatchBytes = 1 << 18;     // of one call: stays in the cache until visited

struct Joined {
  std::size_t first = 0, last = 0; // wanted ranges [first, last)
  std::uint64_t address = 0;
  std::uint64_t size_bytes = 0;
  std::size_t offset = 0; // in the buffer
};

// The wanted ranges from `first` on that are read as one.
Joined join(std::span<const WantedRange> ranges, std::size_t first, std::uint64_t gap_bytes_max) {
  Joined joined{first, first + 1, ranges[first].address, ranges[first].size_bytes, 0};
  for (; joined.last < ranges.size(); ++joined.last) {
    const WantedRange &next = ranges[joined.last];
    std::uint64_t distance = next.address - joined.address; // sorted, so it cannot wrap
    if (distance > joined.size_bytes && distance - joined.size_bytes > gap_bytes_max)
      break;
    if (distance >= kJoinedBytesMax || distance + next.size_bytes > kJoinedBytesMax)
      break;
    joined.size_bytes = std::max(joined.size_bytes, distance + next.size_bytes);
  }
  return joined;
}

class SortedReader {
public:
  SortedReader(AddressSpace &space, std::span<const WantedRange> ranges, const VisitRange &visit)
      : space_(space), ranges_(ranges), visit_(visit) {}

  Result<> add(Joined joined) {
    if (!batch_.empty() && used_ + joined.size_bytes > kBatchBytes)
      TRY(flush());
    joined.offset = used_;
    used_ += joined.size_bytes;
    batch_.push_back(joined);
    return {};
  }

  Result<> flush() {
    if (buffer_.size() < used_)
      buffer_.resize(used_);
    reads_.clear();
    for (const Joined &joined : batch_)
      reads_.push_back(
          {{joined.address}, std::span{buffer_}.subspan(joined.offset, joined.size_bytes)});
    TRY(space_.read(reads_));
    for (std::size_t i = 0; i < batch_.size(); ++i)
      if (reads_[i].is_read)
        visit_parts(batch_[i]);
      else
        TRY(read_one_by_one(batch_[i]));
    batch_.clear();
    used_ = 0;
    return {};
  }

private:
  void visit_parts(const Joined &joined) {
    for (std::size_t i = joined.first; i < joined.last; ++i)
      visit_(i, std::span{buffer_}.subspan(joined.offset + (ranges_[i].address - joined.address),
                                           ranges_[i].size_bytes));
  }

  // The gap between two may be what is not there.
  Result<> read_one_by_one(const Joined &joined) {
    for (std::size_t i = joined.first; i < joined.last; ++i) {
      auto into = std::span{buffer_}.subspan(joined.offset + (ranges_[i].address - joined.address),
                                             ranges_[i].size_bytes);
      MemoryRead read{{ranges_[i].address}, into};
      if (joined.last - joined.first > 1)
        TRY(space_.read({&read, 1}));
      visit_(i, read.is_read ? into : std::span<std::byte>{});
    }
    return {};
  }

  AddressSpace &space_;
  std::span<const WantedRange> ranges_;
  const VisitRange &visit_;
  std::vector<Joined> batch_;
  std::vector<MemoryRead> reads_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
};

} // namespace

Result<> read_sorted(AddressSpace &space, std::span<const WantedRange> ranges,
                     std::uint64_t gap_bytes_max, const VisitRange &visit) {
  SortedReader reader(space, ranges, visit);
  for (std::size_t next = 0; next < ranges.size();) {
    Joined joined = join(ranges, next, gap_bytes_max);
    next = joined.last;
    TRY(reader.add(joined));
  }
  return reader.flush();
}

Result<> read_exactly(AddressSpace &space, std::uint64_t address, std::span<std::byte> into) {
  MemoryRead read{{address}, into};
  TRY(space.read({&read, 1}));
  if (!read.is_read)
    return fail(Errc::not_found, "nothing can be read at {:#x}, {} bytes", address, into.size());
  return {};
}

} // namespace mapscope
