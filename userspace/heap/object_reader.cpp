// Puts requests in the order of their spans, and joins those of one page.
#include "heap/object_reader.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kBatchBytes = 1
                                      << 18; // stays in the second level cache until it is visited
constexpr std::size_t kBatchReads = 1 << 10;
// From so many objects of a page on, the page is read whole: between 3 and 6 made no difference,
// 12 was slower.
constexpr std::size_t kWholePageCount = 3;

} // namespace

Result<std::optional<HeapObject>> ObjectReader::object_at(std::uint64_t address) {
  if (mode_ != Mode::afresh)
    if (auto object = spans_.find_object_at(address); object || mode_ == Mode::bulk)
      return object;
  TRY(spans_.refresh(space_, address));
  return spans_.find_object_at(address);
}

// Radix sort: the requests of a batch are many more than a comparison sort likes, and their spans
// too many to count each.
void ObjectReader::order_by_span(std::span<const ObjectRequest> requests) {
  constexpr std::size_t kFew = 256;
  constexpr unsigned kDigitBits = 11;
  order_.resize(requests.size());
  std::iota(order_.begin(), order_.end(), 0);
  auto span_of = [&](std::uint32_t request) { return requests[request].span; };
  if (requests.size() < kFew) {
    std::ranges::stable_sort(order_, {}, span_of);
    return;
  }
  auto [first, last] = std::ranges::minmax(order_, {}, span_of);
  std::uint32_t lowest = span_of(first), range = span_of(last) - lowest;
  sorted_.resize(order_.size());
  for (unsigned shift = 0; shift < 32 && range >> shift != 0; shift += kDigitBits) {
    std::array<std::uint32_t, 1 << kDigitBits> next{}; // place for each digit
    auto digit = [&](std::uint32_t request) {
      return (span_of(request) - lowest) >> shift & ((1 << kDigitBits) - 1);
    };
    for (std::uint32_t request : order_)
      ++next[digit(request)];
    std::exclusive_scan(next.begin(), next.end(), next.begin(), 0U);
    for (std::uint32_t request : order_)
      sorted_[next[digit(request)]++] = request;
    order_.swap(sorted_);
  }
}

Result<std::size_t> ObjectReader::read_batch(std::span<const ObjectRequest> requests,
                                             std::size_t first) {
  reads_.clear();
  offsets_.clear();
  answers_.clear();
  used_ = 0;
  std::size_t next = first;
  while (next < order_.size() && used_ < kBatchBytes && reads_.size() < kBatchReads) {
    std::size_t last = next + 1;
    while (last < order_.size() && requests[order_[last]].span == requests[order_[next]].span &&
           last - next < kBatchReads)
      ++last;
    add_span(requests, next, last);
    next = last;
  }
  if (buffer_.size() < used_)
    buffer_.resize(used_);
  for (std::size_t i = 0; i < reads_.size(); ++i)
    reads_[i].into = {buffer_.data() + offsets_[i], reads_[i].into.size()};
  if (!is_late())
    TRY(space_.read(reads_));
  return next;
}

void ObjectReader::add_span(std::span<const ObjectRequest> requests, std::size_t first,
                            std::size_t last) {
  std::uint32_t span = requests[order_[first]].span;
  bool is_whole = last - first >= kWholePageCount && spans_.size_bytes(span) == kGoPageBytes;
  if (is_whole)
    add_range(spans_.start(span), kGoPageBytes);
  for (std::size_t i = first; i < last; ++i) {
    const ObjectRequest &request = requests[order_[i]];
    if (!is_whole)
      add_range(request.address, request.size_bytes);
    std::uint64_t offset = is_whole ? request.address - spans_.start(span) : 0;
    answers_.push_back(
        {order_[i], static_cast<std::uint32_t>(reads_.size() - 1), request.size_bytes, offset});
  }
}

void ObjectReader::add_range(std::uint64_t address, std::uint64_t size_bytes) {
  // The buffer may still move, so the read gets its place in it when all are known.
  reads_.push_back({{address}, {static_cast<std::byte *>(nullptr), size_bytes}});
  offsets_.push_back(used_);
  used_ += size_bytes;
}

std::span<const std::byte> ObjectReader::bytes_of(const Answer &answer) {
  const MemoryRead &read = reads_[answer.read];
  // A request that reaches beyond its span was made for an object that the span can't have.
  if (!read.is_read || answer.offset > read.into.size() ||
      answer.size_bytes > read.into.size() - answer.offset)
    return {};
  auto bytes = read.into.subspan(answer.offset, answer.size_bytes);
  if (mode_ != Mode::bulk)
    add_to_digest(bytes);
  return bytes;
}

// FNV-1a, eight bytes at a time.
void ObjectReader::add_to_digest(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  auto add = [&](std::uint64_t word) { digest_ = (digest_ ^ word) * kPrime; };
  std::size_t offset = 0;
  for (; offset + 8 <= bytes.size(); offset += 8)
    add(load<std::uint64_t>(bytes, offset));
  for (; offset < bytes.size(); ++offset)
    add(std::to_integer<std::uint64_t>(bytes[offset]));
  add(bytes.size());
}

} // namespace mapscope
