// Searches the live part of each stack for words that agree with each other as a header does, and
// with what they point to.
#include "heap/stack_maps.h"

#include <algorithm>
#include <bit>
#include <map>
#include <span>

#include "base/user_space.h"
#include "heap/bulk_read.h"
#include "heap/goroutine_stacks.h"
#include "heap/group_size.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"
#include "heap/resident_pages.h"
#include "heap/span_table.h"
#include "heap/stack_header.h"

namespace mapscope {
namespace {

class StackSearcher {
public:
  StackSearcher(AddressSpace &space, const HeapLayout &layout, const HeapRoot &root,
                SpanTable &&spans)
      : space_(space), layout_(layout), spans_(std::move(spans)),
        finder_(space, layout, root, spans_), reader_(space, spans_),
        contents_at_(layout.maps == MapImplementation::swiss ? layout.swiss.dir_ptr
                                                             : layout.classic.buckets),
        contents_bytes_max_(layout.maps == MapImplementation::swiss ? 1ULL << 25 : 1ULL << 34) {
    reader_.set_mode(ObjectReader::Mode::afresh);
  }

  // Every header among these words, which are those of `stack`.
  Result<> search(const LiveStack &stack, std::span<const std::byte> words);
  // Leaves out what a header of the heap points to, too: the words on the stack are a copy.
  Result<> leave_out_copies();
  // Tells which of their bytes on the heap are in memory, where that can be known.
  Result<> tell_residency();

  std::vector<StackMap> take() &&;

private:
  struct Found {
    HeaderCandidate header;
    LiveStack stack;
    unsigned attempt = 0; // that it agreed at
    MapSample map;
  };

  Result<DecodedMap> decode(const HeaderCandidate &header, const LiveStack &stack,
                            unsigned attempt) {
    return decode_on_stack(
        header, stack.range, layout_, reader_,
        {.attempt = attempt, .contents_bytes_max = contents_bytes_max_, .requests_max = 1 << 23});
  }
  // Whether the words there may be a header that points to something: cheap, for each word.
  bool may_be_header(std::span<const std::byte> words) const;
  // Whether the runtime has the object allocated. What a frame no longer uses points to is freed.
  Result<bool> is_allocated(std::uint64_t address);
  Result<bool> is_live(const DecodedMap &map, const LiveStack &stack);

  AddressSpace &space_;
  HeapLayout layout_;
  SpanTable spans_;
  HeaderFinder finder_;
  ObjectReader reader_;
  std::uint32_t contents_at_;        // in a header: the pointer to what it holds
  std::uint64_t contents_bytes_max_; // 4 million tables, or 16 GiB of buckets
  std::map<std::uint64_t, Found> by_contents_;
};

bool StackSearcher::may_be_header(std::span<const std::byte> words) const {
  auto contents = load<std::uint64_t>(words, contents_at_);
  if (!is_user_pointer(contents))
    return false;
  if (layout_.maps == MapImplementation::swiss) {
    const SwissLayout &at = layout_.swiss;
    auto dir_len = load<std::uint64_t>(words, at.dir_len);
    // A seed is 64 random bits: one of 65,536 is refused here that need not be, and no pointer
    // is taken for one.
    return !is_in_user_space(load<std::uint64_t>(words, at.seed)) &&
           (dir_len == 0 ? load<std::uint64_t>(words, at.used) <= kGroupSlots
                         : std::has_single_bit(dir_len));
  }
  const ClassicLayout &at = layout_.classic;
  auto old = load<std::uint64_t>(words, at.oldbuckets),
       extra = load<std::uint64_t>(words, at.extra);
  // Of seeds here, with 32 bits, one of 65,536 is refused.
  return load<std::uint32_t>(words, at.hash0) >> 16 != 0 &&
         load<std::uint64_t>(words, at.count) != 0 && (old == 0 || is_user_pointer(old)) &&
         (extra == 0 || is_user_pointer(extra));
}

Result<bool> StackSearcher::is_allocated(std::uint64_t address) {
  auto object = spans_.find_object(address);
  if (!object)
    return false;
  std::vector<std::byte> bytes(layout_.span.size);
  TRY(read_exactly(space_, spans_.mspan(object->span), bytes));
  auto span = SpanFields::parse(bytes, spans_.mspan(object->span), layout_.span);
  if (!span.is_in_use() || object->slot >= span.nelems)
    return false;
  if (object->slot < span.freeindex)
    return true;
  auto bits = TRY(read_value<std::uint8_t>(space_, span.alloc_bits + object->slot / 8));
  return (bits >> object->slot % 8 & 1) != 0;
}

Result<bool> StackSearcher::is_live(const DecodedMap &map, const LiveStack &stack) {
  if (stack.range.contains({map.contents}))
    return true;
  auto allocated = is_allocated(map.contents);
  if (!allocated && allocated.error().code() == Errc::not_found)
    return false;
  return allocated;
}

Result<> StackSearcher::search(const LiveStack &stack, std::span<const std::byte> words) {
  for (std::size_t at = 0; at + layout_.header_size <= words.size(); at += 8) {
    auto here = words.subspan(at, layout_.header_size);
    if (!may_be_header(here))
      continue;
    HeaderCandidate candidate{.address = stack.range.start.value + at};
    std::ranges::copy(here, candidate.bytes.begin());
    DecodedMap map;
    unsigned attempt = 0; // several sizes of buckets may fit, and one of them agree
    do
      map = TRY(decode(candidate, stack, attempt));
    while (map.outcome != DecodeOutcome::map && ++attempt < map.choice_count);
    if (map.outcome == DecodeOutcome::map && TRY(is_live(map, stack)))
      by_contents_.try_emplace(map.contents, Found{candidate, stack, attempt, map.sample});
  }
  return {};
}

Result<> StackSearcher::leave_out_copies() {
  if (by_contents_.empty())
    return {};
  constexpr std::size_t kSpansAtOnce = 64;
  std::vector<std::uint32_t> spans = spans_.spans_of(finder_.shape().span_class);
  std::vector<HeaderCandidate> candidates;
  for (std::span<const std::uint32_t> left = spans; !left.empty();) {
    auto chunk = left.first(std::min(kSpansAtOnce, left.size()));
    left = left.subspan(chunk.size());
    TRY(finder_.find(chunk, candidates));
    for (const HeaderCandidate &candidate : candidates)
      by_contents_.erase(load<std::uint64_t>(candidate.bytes, contents_at_));
  }
  return {};
}

Result<> StackSearcher::tell_residency() {
  if (by_contents_.empty())
    return {};
  auto pages = ResidentPages::read(space_, spans_);
  if (!pages) {
    const Errc code = pages.error().code();
    return code == Errc::unsupported || code == Errc::denied
               ? Result<>{}
               : std::unexpected(std::move(pages).error());
  }
  reader_.set_resident_pages(&*pages);
  for (auto &[contents, found] : by_contents_) {
    DecodedMap again = TRY(decode(found.header, found.stack, found.attempt));
    if (again.outcome == DecodeOutcome::map)
      found.map = again.sample;
  }
  reader_.set_resident_pages(nullptr);
  return {};
}

std::vector<StackMap> StackSearcher::take() && {
  std::vector<StackMap> maps;
  for (const auto &[contents, found] : by_contents_)
    maps.push_back({found.map, found.stack.goroutine});
  std::ranges::sort(maps, {}, [](const StackMap &map) { return map.map.address; });
  return maps;
}

} // namespace

Result<StackMaps> find_stack_maps(AddressSpace &space, const HeapAnchors &anchors,
                                  const BinaryFacts &facts, ProcessAddress all_goroutines,
                                  const StackLimits &limits) {
  HeapLayout layout = TRY(HeapLayout::from(facts));
  HeapRoot root = TRY_WHILE(find_heap(space, anchors, layout), "finding the heap");
  SpanTable spans = TRY_WHILE(SpanTable::read(space, root, layout), "reading the spans");
  StackSearcher searcher(space, layout, root, std::move(spans));
  GoroutineStacks stacks =
      TRY(GoroutineStacks::open(space, facts, all_goroutines, limits.goroutines_max));

  StackMaps found;
  std::uint64_t bytes_left = limits.bytes_max, cut_count = 0;
  for (unsigned round = 0; round < limits.rounds_max; ++round)
    TRY(stacks.visit(limits.stack_bytes_max, bytes_left,
                     [&](const LiveStack &stack, std::span<const std::byte> words) -> Result<> {
                       bytes_left -= std::min<std::uint64_t>(bytes_left, words.size());
                       ++(stack.is_cut ? cut_count : found.searched_count);
                       return searcher.search(stack, words);
                     }));
  found.left_out_count = stacks.left_count() + cut_count;
  TRY(searcher.leave_out_copies());
  TRY(searcher.tell_residency());
  found.maps = std::move(searcher).take();
  return found;
}

} // namespace mapscope
