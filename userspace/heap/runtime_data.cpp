// The scan for mheap_, and what a place must satisfy to be it.
#include "heap/runtime_data.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/user_space.h"
#include "go/size_classes.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kPageBytes = 4096;          // what sysAlloc rounds to, at least
constexpr std::uint64_t kSpansMax = 1ULL << 27;     // 1 TiB of spans of one page
constexpr std::uint64_t kDataBytesMax = 1ULL << 30; // a program with more static data: not read
constexpr std::uint64_t kScanBytes = 1 << 20;       // at once
constexpr std::uint8_t kSpanStateMax = 2;           // mSpanManual

bool is_user_address(std::uint64_t address) {
  return address >= kPageBytes && is_in_user_space(address);
}

// A slice header {pointer, len, cap} as allspans has it. Go source: runtime/mheap.go, recordspan:
// its array comes from sysAlloc, so it begins a page.
bool looks_like_allspans(std::uint64_t pointer, std::uint64_t len, std::uint64_t cap) {
  return is_user_address(pointer) && pointer % kPageBytes == 0 && len >= 8 && len <= cap &&
         cap <= kSpansMax;
}

struct FirstSpans {
  std::size_t plausible_count = 0;
  std::uint64_t in_use = 0, in_use_start = 0; // one that the arenas must name too; 0: none
};

Result<FirstSpans> look_at_first_spans(AddressSpace &space, const HeapRoot &root,
                                       const SpanLayout &layout) {
  std::array<std::uint64_t, 8> pointers{};
  TRY(read_exactly(space, root.spans, std::as_writable_bytes(std::span{pointers})));
  FirstSpans found;
  std::vector<std::byte> bytes(layout.size);
  for (std::uint64_t pointer : pointers) {
    if (!is_user_address(pointer) || pointer % 8 != 0)
      continue;
    if (auto read = read_exactly(space, pointer, bytes); !read) {
      if (read.error().code() == Errc::not_found)
        continue;
      return std::unexpected(std::move(read).error());
    }
    auto start = load<std::uint64_t>(bytes, layout.start);
    auto pages = load<std::uint64_t>(bytes, layout.npages);
    auto state = load<std::uint8_t>(bytes, layout.state);
    if (start % kGoPageBytes != 0 || pages == 0 || pages > kHeapBytesMax / kGoPageBytes ||
        state > kSpanStateMax)
      continue;
    ++found.plausible_count;
    if (state != 0) {
      found.in_use = pointer;
      found.in_use_start = start;
    }
  }
  return found;
}

// Whether mheap_.arenas leads from the span's first page back to the span.
Result<bool> arenas_name(AddressSpace &space, const HeapRoot &root, const HeapLayout &layout,
                         const FirstSpans &found) {
  std::uint64_t index = HeapRoot::arena_index(layout.machine, found.in_use_start);
  if (index >= kArenaIndexMax)
    return false;
  auto arena = TRY(read_value<std::uint64_t>(space, root.arenas + index * 8));
  std::uint64_t page = found.in_use_start / kGoPageBytes % 8192;
  return TRY(read_value<std::uint64_t>(space, arena + layout.arena_spans + page * 8)) ==
         found.in_use;
}

// Whether the structure at this place is mheap_; nothing where it is not.
Result<std::optional<HeapRoot>> examine(AddressSpace &space, std::uint64_t mheap,
                                        const HeapLayout &layout) {
  auto accept = [&]() -> Result<std::optional<HeapRoot>> {
    HeapRoot root = TRY(read_root(space, mheap, layout));
    FirstSpans found = TRY(look_at_first_spans(space, root, layout.span));
    // A span may be half made at this moment.
    bool is_heap = found.plausible_count >= 7 && found.in_use != 0 &&
                   TRY(arenas_name(space, root, layout, found));
    return is_heap ? std::optional{root} : std::nullopt;
  };
  auto root = accept();
  if (!root && (root.error().code() == Errc::not_found || root.error().code() == Errc::malformed))
    return std::nullopt; // a look-alike that points nowhere
  return root;
}

// Places of mheap_ in one piece of memory that look right so far. `bytes` begins at `address`.
void find_in(std::span<const std::byte> bytes, std::uint64_t address, const MheapLayout &layout,
             std::vector<std::uint64_t> &places) {
  for (std::size_t offset = 0; offset + 24 <= bytes.size(); offset += 8)
    if (looks_like_allspans(load<std::uint64_t>(bytes, offset),
                            load<std::uint64_t>(bytes, offset + 8),
                            load<std::uint64_t>(bytes, offset + 16)))
      places.push_back(address + offset - layout.allspans);
}

Result<std::vector<std::uint64_t>> scan(AddressSpace &space, const HeapAnchors &anchors,
                                        const MheapLayout &layout) {
  std::vector<std::uint64_t> places;
  std::vector<std::byte> bytes(kScanBytes);
  std::uint64_t left = kDataBytesMax;
  for (const ProcessRange &range : anchors.data) {
    std::uint64_t start = (range.start.value + 7) & ~std::uint64_t{7};
    std::uint64_t size = std::min(range.size_bytes, left);
    left -= size;
    // Pieces overlap by a slice header, so that none is cut in two.
    for (std::uint64_t done = 0; done + 24 <= size; done += kScanBytes - 24) {
      auto piece = std::span{bytes}.first(std::min(kScanBytes, size - done));
      MemoryRead read{{start + done}, piece};
      TRY(space.read({&read, 1}));
      if (read.is_read)
        find_in(piece, start + done, layout, places);
    }
  }
  return places;
}

} // namespace

HeapAnchors HeapAnchors::of(const BinaryFacts &facts, LoadBias bias) {
  HeapAnchors anchors;
  auto in_process = [&](ElfAddress address) {
    return address.value == 0 ? ProcessAddress{} : bias.to_process(address);
  };
  for (const ElfRange &range : facts.zeroed_data)
    anchors.data.push_back({bias.to_process(range.start), range.size_bytes});
  if (facts.variables.heap.value != 0)
    anchors.mheap_candidates.push_back(in_process(facts.variables.heap));
  anchors.gc_controller = in_process(facts.variables.gc_controller);
  anchors.statistics = in_process(facts.variables.statistics);
  anchors.hash_keys = in_process(facts.variables.hash_keys);
  anchors.types = {in_process(facts.types.start), facts.types.size_bytes};
  return anchors;
}

Result<HeapRoot> read_root(AddressSpace &space, std::uint64_t mheap, const HeapLayout &layout) {
  HeapRoot root{.mheap = mheap};
  std::array<std::uint64_t, 3> slice{};
  root.sweepgen = TRY(read_sweepgen(space, mheap + layout.mheap.sweepgen));
  TRY(read_exactly(space, mheap + layout.mheap.allspans, std::as_writable_bytes(std::span{slice})));
  root.arenas = TRY(read_value<std::uint64_t>(space, mheap + layout.mheap.arenas));
  root.spans = slice[0];
  root.span_count = slice[1];
  if (!looks_like_allspans(slice[0], slice[1], slice[2]) || root.sweepgen % 2 != 0 ||
      !is_user_address(root.arenas))
    return fail(Errc::malformed, "runtime.mheap_ at {:#x} makes no sense", mheap);
  return root;
}

Result<HeapRoot> find_heap(AddressSpace &space, const HeapAnchors &anchors,
                           const HeapLayout &layout) {
  for (ProcessAddress candidate : anchors.mheap_candidates)
    if (auto root = TRY(examine(space, candidate.value, layout)))
      return *root;
  std::optional<HeapRoot> found;
  for (std::uint64_t place : TRY(scan(space, anchors, layout.mheap)))
    if (auto root = TRY(examine(space, place, layout))) {
      if (found && found->mheap != root->mheap)
        return fail(Errc::not_found, "two places look like runtime.mheap_: {:#x} and {:#x}",
                    found->mheap, root->mheap);
      found = root;
    }
  if (!found)
    return fail(Errc::not_found, "runtime.mheap_ is not in the program's data; it may have just "
                                 "started");
  return *found;
}

} // namespace mapscope
